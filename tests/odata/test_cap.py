"""Orders in SAP CAP through the hub: previews on drafts, approvals, lost updates, undo; and the connector's badge."""

import shutil
from pathlib import Path

import pytest
from cap import harness
from cap.server import HUB, Cap
from odata_office import Office
from typer.testing import CliRunner

from hub.cli import command_line
from hub.execution import Previewed, Unknown
from hub.invocations.proving.laboratory import Order, open_laboratory
from hub.invocations.proving.session import check_live
from hub.invocations.states import State
from hub.registry import BadgeVerdict, Promise

app = command_line()

pytestmark = [pytest.mark.anyio, pytest.mark.more]


async def test_a_change_is_previewed_on_a_draft_approved_committed_and_undone(office: Office) -> None:
    number = office.order(note="By phone")
    before, events = office.cap.contents(), office.cap.events

    asked = await office.call("update_orders", ID=number, note="By mail")

    assert asked.state is State.AWAITING_APPROVAL
    assert office.cap.contents() == before, "no draft is left, and the live order is as it was"
    assert office.cap.events == events
    assert asked.preview is not None
    preview = asked.preview.preview
    change = preview.changes[0]
    assert change.before is not None
    assert change.after is not None
    assert (change.before["note"], change.after["note"]) == ("By phone", "By mail")
    assert change.unknown == ("total", "modifiedAt")
    assert preview.fidelity.value == "executed"

    done = await office.approved(asked)

    assert done.state is State.VERIFIED
    assert office.row(number)["note"] == "By mail"
    assert office.cap.events == [*events, "UPDATE"]

    compensation = office.spec.operation("update_orders").compensation
    assert compensation is not None
    receipt = {"input": dict(done.arguments), "output": done.output, "before": [dict(change.before)]}
    undone = await office.approved(await office.call(compensation.tool, **compensation.arguments_for(receipt)))

    assert undone.state is State.VERIFIED
    assert office.row(number)["note"] == "By phone"


async def test_what_somebody_changed_meanwhile_is_not_overwritten(office: Office) -> None:
    number = office.order()
    asked = await office.call("update_orders", ID=number, note="Ours")
    office.edit(number, note="Hers")

    stale = await office.approved(asked)

    assert stale.state is State.STALE
    assert office.row(number)["note"] == "Hers"


async def test_what_the_service_has_against_a_draft_is_told_before_anybody_is_asked(office: Office) -> None:
    events = office.cap.events
    items = [{"product": "pen", "quantity": 5000, "price": "1.50"}]

    refused = await office.call("create_orders", customer="Acme", items=items)

    assert refused.state is State.PREVIEW_FAILED
    assert refused.error_message is not None
    assert "Enter a value between 1 and 1000." in refused.error_message
    assert office.cap.drafts == 0
    assert office.cap.events == events


async def test_an_order_that_somebody_is_editing_is_left_to_them(office: Office) -> None:
    number = office.order()
    office.cap.clerk("POST", f"/Orders(ID={number},IsActiveEntity=true)/OrderService.draftEdit", {})
    drafts = office.cap.drafts

    refused = await office.call("update_orders", ID=number, note="Ours")

    assert refused.state is State.PREVIEW_FAILED
    assert office.cap.drafts == drafts
    office.cap.clerk("DELETE", f"/Orders(ID={number},IsActiveEntity=false)")


async def test_an_order_is_taken_with_its_items_found_over_pages_and_cancelled(office: Office) -> None:
    items = [{"product": "pen", "quantity": 2, "price": "1.50"}, {"product": "ink", "quantity": 1, "price": "4.00"}]
    asked = await office.call("create_orders", customer="Größe & Sons'", items=items)
    taken = await office.approved(asked)
    for _ in range(4):
        office.order(customer="Größe & Sons'")

    where = [{"field": "customer", "is": "is", "value": "Größe & Sons'"}]
    found = await office.call("find_orders", where=where, expand=["items"], order_by=[{"field": "total"}])
    few = await office.call("find_orders", where=where, limit=3)

    assert taken.state is State.VERIFIED
    assert [order["total"] for order in found.output["records"]] == ["3.00"] * 4 + ["7.00"]
    assert (len(few.output["records"]), few.output["more"], found.output["more"]) == (3, True, False)
    assert sorted(item["price"] for item in found.output["records"][4]["items"]) == ["1.50", "4.00"]
    total = await office.call("open_total", customer="Größe & Sons'")
    assert total.output == {"value": "19.00"}

    number = taken.output["ID"]
    cancelled = await office.approved(await office.call("orders_cancel", ID=number, reason="Too late"))
    again = await office.approved(await office.call("orders_cancel", ID=number, reason="Twice"))

    assert cancelled.output["status"] == "cancelled"
    assert again.state is State.FAILED
    assert "Only an open order can be cancelled." in str(again.error_message)


def test_the_connector_gets_its_badge(
    cap: Cap, sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(sqlite_template, tmp_path / "toolhub.db")
    monkeypatch.setenv("TOOLHUB_HOME", str(tmp_path))
    monkeypatch.setenv("TOOLHUB_SECRET_USERNAME", HUB[0])
    monkeypatch.setenv("TOOLHUB_SECRET_PASSWORD", HUB[1])
    toolhub, owner = CliRunner(), Path(harness.__file__).parent / "owner.yaml"
    # a service does not show its metadata to strangers, so the owner's file says how to sign in
    command = ["connector", "import", "odata", cap.base_url, "--owner", str(owner), "--name", "orders", "--register"]

    imported = toolhub.invoke(app, command)
    checked = toolhub.invoke(app, ["connector", "check", "orders", "--on", "cap.harness:opened", "--keep"])

    assert imported.exit_code == 0, imported.output
    assert checked.exit_code == 0, checked.output
    assert "No line failed." in checked.stdout


async def test_writes_by_drafts_alone_keep_what_they_promise() -> None:
    async with harness.opened() as opened:
        tried = {"create_orders", "update_orders", "delete_orders"}
        opened.cases = [case for case in opened.cases if case.operation in tried]

        badge = await check_live(harness.compiled(opened.cap, writes="drafts").spec, opened)
        drafts = opened.cap.drafts

    lines = {(line.operation, line.promise): line.verdict for line in badge.lines}
    assert [line for line in badge.lines if line.verdict is BadgeVerdict.FAILED] == []
    assert lines["update_orders", Promise.GUARD] is BadgeVerdict.PASSED
    assert lines["update_orders", Promise.UNDO] is BadgeVerdict.PASSED
    assert lines["create_orders", Promise.PREDICTION] is BadgeVerdict.PASSED
    assert drafts == 0


async def test_a_draft_that_the_service_refuses_to_activate_leaves_the_order_as_it_was() -> None:
    async with harness.opened() as opened:
        spec, given = harness.compiled(opened.cap, writes="drafts").spec, {"ID": harness.ORDER, "customer": ""}
        before = opened.cap.contents()
        async with open_laboratory(spec, opened) as lab:
            previewed = await lab.preview("update_orders", given)
            assert isinstance(previewed, Previewed), previewed

            outcome = await lab.commit("update_orders", given, Order.of(previewed.preview, key="key-1"))

        assert isinstance(outcome, Unknown), "after a request that was accepted nothing is taken for granted"
        assert opened.cap.contents() == before
        assert opened.cap.drafts == 0
