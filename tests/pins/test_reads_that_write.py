"""What was accepted as a read goes on as one only as long as nothing that its server says of it speaks against it."""

import copy
from pathlib import Path
from typing import Any

import pytest
from doors.working_hub import WorkingHub
from pins.listing import TEXT, Listing
from pins.noted import FIND, connected

from connectors.mcp_upstream import Owner
from connectors.sdk.declaration import OPERATION
from hub.core.errors import Quarantined
from hub.pins import Sign, advice_on, breakage

pytestmark = pytest.mark.anyio

OURS = Owner(name="ours", reads=frozenset({"plain"}), vouches=True)
THEIRS = Owner(name="theirs", reads=frozenset({"plain"}))
WRITES = {"readOnlyHint": False, "destructiveHint": True}
SAYS = "says now that it changes something"


def declaring(name: str, declared: dict[str, Any] | None = None, **more: object) -> dict[str, Any]:
    """Return a tool, with what it declares of itself."""
    meta = {} if declared is None else {"_meta": {OPERATION: declared}}
    described = {"name": name, "description": f"It does {name}.", "inputSchema": TEXT}
    return {**described, "outputSchema": {"type": "object"}, **meta, **more}


READ, DELETE = {"effect": "read", "tier": "low"}, {"effect": "delete", "tier": "critical"}
LOOK = declaring("look_up", READ, annotations={"readOnlyHint": True})
PLAIN = declaring("plain")
PAY = declaring(
    "pay",
    {"effect": "update", "tier": "high", "fidelity": "simulated", "phases": {"preview": "pay_preview"}},
)
SHOW = declaring("pay_preview")


async def held(owner: Owner, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> dict[str, str]:
    """Return what a look holds back of `before` once the server lists `after`, and why."""
    return breakage(await Listing(tools=before).spec(owner), await Listing(tools=after).spec(owner))


@pytest.mark.parametrize("annotations", [WRITES, {"readOnlyHint": True}, None])
async def test_a_declared_read_that_declares_a_write_is_held_back(annotations: object) -> None:
    writes = declaring("look_up", DELETE, annotations=annotations)

    assert SAYS in (await held(OURS, [LOOK, PLAIN], [writes, PLAIN]))["look_up"]


async def test_a_declared_read_whose_annotations_say_otherwise_is_none() -> None:
    found = await Listing(tools=[{**LOOK, "annotations": WRITES}, PLAIN]).found(OURS)

    assert [one.name for one in found.spec.operations] == ["plain"]
    assert [(one.tool, "annotations say" in one.reason) for one in found.refused] == [("look_up", True)]
    assert "look_up" in await held(OURS, [LOOK], [{**LOOK, "annotations": WRITES}, PAY, SHOW])


async def test_a_declared_read_that_declares_nothing_any_more_is_held_back() -> None:
    silent = {name: value for name, value in LOOK.items() if name not in {"_meta", "annotations"}}

    assert "not say any more" in (await held(OURS, [LOOK], [silent, PAY, SHOW]))["look_up"]


async def test_a_declared_read_that_says_other_words_is_still_one() -> None:
    assert await held(OURS, [LOOK], [{**LOOK, "description": "Other words."}, PAY, SHOW]) == {}


@pytest.mark.parametrize("owner", [OURS, THEIRS], ids=["vouched for", "not vouched for"])
@pytest.mark.parametrize(
    "says",
    [{"_meta": {OPERATION: DELETE}}, {"annotations": {"destructiveHint": True}}, {"annotations": WRITES}],
    ids=["declared", "destroys", "writes"],
)
async def test_a_read_by_its_owners_word_that_says_it_writes_is_held_back(
    owner: Owner, says: dict[str, object]
) -> None:
    before, after = await Listing(tools=[PLAIN]).spec(owner), await Listing(tools=[{**PLAIN, **says}]).spec(owner)

    assert SAYS in breakage(before, after)["plain"]
    assert Sign.WRITES in {one.sign for one in advice_on(before, after, {})}


async def test_a_read_that_also_sends_the_defaults_of_other_hints_is_one() -> None:
    hints = {"readOnlyHint": True, "destructiveHint": True, "openWorldHint": True}

    assert await held(THEIRS, [PLAIN], [{**PLAIN, "annotations": hints}]) == {}


async def test_an_owner_who_no_longer_calls_it_a_read_holds_nothing_back() -> None:
    before = await Listing(tools=[PLAIN]).spec(THEIRS)
    after = await Listing(tools=[PLAIN]).spec(Owner(name="theirs"))

    assert breakage(before, after) == {}


async def test_a_preview_by_another_tool_is_held_back_and_one_more_phase_is_not() -> None:
    other, more = copy.deepcopy(PAY), copy.deepcopy(PAY)
    other["_meta"][OPERATION]["phases"]["preview"] = "pay_show"
    more["_meta"][OPERATION]["phases"]["observe"] = "pay_show"
    show = declaring("pay_show")
    writes = declaring("pay_preview", DELETE, annotations=WRITES)

    assert "another tool for its preview" in (await held(OURS, [PAY, SHOW], [other, writes, show]))["pay"]
    assert await held(OURS, [PAY, SHOW], [more, SHOW, show]) == {}


@pytest.mark.parametrize("says", [{"annotations": WRITES}, {"_meta": {OPERATION: DELETE}}], ids=["hints", "declared"])
async def test_a_tool_that_says_it_writes_is_no_phase_of_another(says: dict[str, object]) -> None:
    tools = [PAY, {**SHOW, **says}]
    found = await Listing(tools=tools).found(OURS)

    assert "pay" not in [one.name for one in found.spec.operations]
    assert "phases" in next(one.reason for one in found.refused if one.tool == "pay")
    assert "pay" in await held(OURS, [PAY, SHOW], tools)


async def test_what_is_declared_may_be_anything() -> None:
    found = await Listing(tools=[declaring("look_up", {"effect": [1]}), {**PLAIN, "_meta": [1]}]).found(OURS)

    assert [one.name for one in found.spec.operations] == ["plain"]


async def test_a_read_that_declares_itself_a_delete_is_not_carried_out(hub: WorkingHub, tmp_path: Path) -> None:
    owner = Owner(name="notes", reads=frozenset({"find"}), vouches=True)
    async with connected(hub, tmp_path / "tools.json", owner, (FIND, LOOK)) as notes:
        assert (await notes.read("before")).output["content"][0]["text"] == "before"
        notes.says({**FIND, "_meta": {OPERATION: DELETE}}, LOOK)
        await notes.look()

        with pytest.raises(Quarantined, match=SAYS):
            await notes.read("after")
