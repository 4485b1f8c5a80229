"""The server that the README shows works as it says: previews, guards, errors and undo, by what it declares."""

import re
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from execution_house import House, order
from federation_servers import ME, Federated

from connectors.mcp_upstream import Owner
from connectors.mcp_upstream.declared import error_of
from connectors.sdk.errors import ConnectorError
from connectors.sdk.preview import Preview
from connectors.sdk.spec import ConnectorSpec
from hub.execution import Conflicted, Failed, Observed, Previewed, Succeeded
from sandbox.programs import Program

Json = Any

pytestmark = pytest.mark.anyio

README: Final = (Path(__file__).parents[2] / "connectors" / "README.md").read_text()


@pytest.fixture(scope="module")
async def terms(federated: Federated) -> tuple[House, ConnectorSpec]:
    """A connection to the README's server, and what it declares."""
    shown = re.search(r"^```python file=terms\.py\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert shown is not None
    program = Program(command=(sys.executable, "-c", shown[1]), user=ME)
    house = await federated.connect(federated.allow("terms", program))
    return house, await federated.discovered(house, Owner(name="terms", vouches=True))


async def previewed(house: House, spec: ConnectorSpec, **given: Json) -> Preview:
    shown = (await house.preview(spec, "terms_set", **given)).outcome
    assert isinstance(shown, Previewed), shown
    return shown.preview


async def test_what_it_declares_is_previewed_committed_read_back_and_undone(
    terms: tuple[House, ConnectorSpec],
) -> None:
    house, spec = terms
    assert [one.name for one in spec.operations] == ["terms_set"]
    given = {"customer": "acme", "days": 14}
    preview = await previewed(house, spec, **given)
    before = {one.target: dict(one.before or {}) for one in preview.changes}
    guard = {one.target: one.token for one in preview.preconditions}

    done = await house.commit(spec, "terms_set", order(guard=guard), **given)
    seen = await house.executor.observe(house.target(spec, "terms_set"), given, before=before, output=None)
    stale = await house.commit(spec, "terms_set", order(guard=guard), customer="acme", days=7)
    compensation = spec.operation("terms_set").compensation
    assert compensation is not None
    back = compensation.arguments_for({"input": given, "output": given, "before": [*before.values()]})
    undoing = await previewed(house, spec, **back)
    undone = await house.commit(
        spec, "terms_set", order(guard={one.target: one.token for one in undoing.preconditions}), **back
    )

    assert isinstance(done.outcome, Succeeded)
    assert seen.outcome == Observed(records={"terms/acme": given})
    assert isinstance(stale.outcome, Conflicted)
    assert back == {"customer": "acme", "days": 30}
    assert isinstance(undone.outcome, Succeeded)


async def test_a_customer_that_is_not_there_is_told_by_its_code(terms: tuple[House, ConnectorSpec]) -> None:
    house, spec = terms

    shown = (await house.preview(spec, "terms_set", customer="nobody", days=1)).outcome

    assert isinstance(shown, Failed)
    assert (shown.code, shown.message) == ("upstream_not_found", "There is no such customer.")


def test_the_codes_that_it_lists_are_those_that_count() -> None:
    table = README[README.index("| code | says |") : README.index("A whole server, which")]
    listed = set(re.findall(r"`(upstream_\w+)`", table))

    every = {one.code for one in ConnectorError.__subclasses__()}
    assert listed == {code for code in every if error_of({"code": code, "message": ""}, is_safe=False) is not None}
