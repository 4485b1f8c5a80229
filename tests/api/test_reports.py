"""Reports of the contract kit at the API: taken as their owner's word, shown apart, never as somebody else's."""

import pytest
from doors.people import LogIn
from doors.reports import REPORT
from doors.working_hub import WorkingHub

pytestmark = pytest.mark.anyio


async def test_a_report_is_shown_apart_from_the_badge(hub: WorkingHub, log_in: LogIn) -> None:
    del hub
    administrator, member = await log_in("administrator"), await log_in("requester")

    sent = await administrator.send("POST", "/connectors/upstream/reports", {"report": REPORT})
    elsewhere = await administrator.send("POST", "/connectors/other/reports", {"report": REPORT})
    (shown,) = [one for one in (await member.get("/connectors")).json()["items"] if one["name"] == "upstream"]

    assert sent.status_code == 201
    assert (sent.json()["source"], sent.json()["place"]) == ("owner", "CI")
    assert elsewhere.status_code == 400
    assert (shown["badge"]["source"], shown["badge"]["system"]) == ("here", "a system for tests")
    assert shown["reported"] == sent.json()
