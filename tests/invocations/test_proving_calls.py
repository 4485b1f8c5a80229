"""The contract kit on systems that are called by GraphQL and by XML-RPC."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import pytest
from invocations.laboratories import failed
from upstream.dealing import Dealing, by_graphql, by_xml_rpc
from upstream.graphql_deals import connector as graphql_deals
from upstream.xml_rpc_deals import connector as xml_rpc_deals

from connectors.sdk import Connector
from connectors.sdk.harness import Case, Contents, SystemAnswer
from hub.invocations.proving.recording import Recording
from hub.invocations.proving.session import check_and_record, check_recorded
from hub.registry import BadgeVerdict, Promise

pytestmark = pytest.mark.anyio

SAYS_NO = SystemAnswer(
    name="a conflict",
    status=200,
    code="upstream_conflict",
    body='{"errors": [{"message": "no", "extensions": {"code": 409}}]}',
)
FAULT = (
    "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>409</int></value></member>"
    "<member><name>faultString</name><value>no</value></member></struct></value></fault></methodResponse>"
)
SAYS_NO_IN_XML = SystemAnswer(name="a conflict", status=200, code="upstream_conflict", body=FAULT)


@dataclass(slots=True, kw_only=True)
class DealingHarness:
    """Served deals to try a connector on."""

    dealing: Dealing
    cases: Sequence[Case] = ()
    system: str = "served deals"
    secret: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def base_url(self) -> str:
        """Where they are served."""
        return self.dealing.base_url

    async def contents(self) -> Contents:
        """Return every deal."""
        return {f"deals/{number}": dict(deal) for number, deal in self.dealing.deals.held.items()}

    def renaming(self, operation: str, *answers: SystemAnswer, **arguments: Any) -> Case:  # noqa: ANN401  # JSON
        """Return the case of a write to deal 1."""

        async def edit() -> None:
            self.dealing.deals.edit(1, "Somebody else's")

        async def effects() -> int:
            return self.dealing.deals.effects

        return Case(operation=operation, arguments={"id": 1, **arguments}, edit=edit, effects=effects, answers=answers)


@pytest.mark.more
@pytest.mark.parametrize(
    ("connector", "served", "no"),
    [(graphql_deals, by_graphql, SAYS_NO), (xml_rpc_deals, by_xml_rpc, SAYS_NO_IN_XML)],
    ids=["GraphQL", "XML-RPC"],
)
async def test_a_connector_that_calls_keeps_every_promise_and_a_recording_shows_it_again(
    connector: Connector, served: Callable[[], AbstractContextManager[Dealing]], no: SystemAnswer
) -> None:
    with served() as dealing:
        harness = DealingHarness(dealing=dealing)
        harness.cases = [
            Case(operation="deal_get", arguments={"id": 1}),
            harness.renaming("deal_rename", no, title="Fountain pens"),
            harness.renaming("writes_in_its_preview"),
        ]
        recorded = await check_and_record(connector.spec, harness)
        assert dealing.deals.held.keys() == {1}

    found = failed(recorded.badge.lines)
    assert found.keys() == {Promise.FENCE}
    assert "mutation/dealDelete" in found[Promise.FENCE] or "deal.delete" in found[Promise.FENCE]
    passed = {line.promise for line in recorded.badge.lines if line.verdict is BadgeVerdict.PASSED}
    wanted = {Promise.UNTOUCHED, Promise.PERMIT, Promise.GUARD, Promise.PREDICTION, Promise.ONCE, Promise.UNDO}
    assert {*wanted, Promise.ERRORS} <= passed

    written = recorded.recording.model_dump_json()
    again = await check_recorded(connector.spec, Recording.model_validate_json(written))
    assert failed(again.lines).keys() == {Promise.FENCE}
    assert wanted <= {line.promise for line in again.lines if line.verdict is BadgeVerdict.PASSED}
    assert connector is graphql_deals or "Fountain" not in written
