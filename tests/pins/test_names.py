"""No name of one tool spoils the look at the others: what falls together gets a name of its own, or is left out."""

import hashlib
from typing import Any

import pytest
from pins.listing import TEXT, Listing
from pins.noted import FIND, POST, Notes

from connectors.mcp_upstream import Owner
from connectors.sdk.declaration import OPERATION
from connectors.sdk.names import normalised
from hub.core.errors import Quarantined

pytestmark = pytest.mark.anyio

MARK = hashlib.sha256(b"a-b").hexdigest()[:8]
FALLING_TOGETHER = ("a_b", "a-b", f"a_b_{MARK}")
LIBRARY = Owner(name="library", vouches=True)


def tool(name: str, **declared: object) -> dict[str, Any]:
    """Return a tool, with what it declares of itself."""
    meta = {"_meta": {OPERATION: declared}} if declared else {}
    return {"name": name, "description": f"It does {name}.", "inputSchema": TEXT, **meta}


def write(name: str, undo: str) -> dict[str, Any]:
    """Return a tool that declares itself a write which `undo` takes back."""
    arguments = {"text": "/input/text"}
    compensation = {"tool": undo, "arguments": arguments, "kind": "exact"}
    return tool(name, effect="update", tier="medium", reversal="exact", compensation=compensation)


@pytest.mark.parametrize("order", [1, -1])
def test_a_name_that_somebody_has_taken_leaves_another_one(order: int) -> None:
    second = hashlib.sha256(b"2 a-b").hexdigest()[:8]
    names = [*FALLING_TOGETHER, f"a_b_{second}", "kept", "Kept"][::order]

    found = normalised(names, {"kept"})

    assert len({*found.values(), "kept"}) == len(names) + 1
    assert {name for name in names if found[name] == name} == {*names} - {"a-b", "kept", "Kept"}
    assert found["a-b"].startswith("a_b_")
    assert found["kept"].startswith("kept_")


def test_a_long_name_whose_short_form_is_taken_gets_another_one() -> None:
    long = "x" * 60
    short = f"{'x' * 39}_{hashlib.sha256(long.encode()).hexdigest()[:8]}"

    found = normalised([long, short])

    assert found[short] == short
    assert found[long] != short


async def test_names_that_fall_together_are_all_listed() -> None:
    found = await Listing(tools=[tool(name) for name in (*FALLING_TOGETHER, "good")]).found(LIBRARY)

    assert {str(one.binding["tool"]) for one in found.spec.operations} == {*FALLING_TOGETHER, "good"}
    assert found.refused == ()


@pytest.mark.parametrize("kind", ["resources", "prompts", "completions"])
@pytest.mark.parametrize("name", ["library_{}", "library-{}", "Library.{}"])
async def test_a_tool_that_is_called_like_what_reads_resources_gets_another_name(name: str, kind: str) -> None:
    theirs = name.format(kind)
    listing = Listing(tools=[tool(theirs), tool("good")], resources=[{"uri": "doc://1", "name": "One"}])

    ours = {str(one.binding["tool"]): one.name for one in (await listing.spec(LIBRARY)).operations}

    assert ours[theirs].startswith(f"library_{kind}_")
    assert ours["resources/read"] == "library_resources"
    assert ours["good"] == "good"


async def test_what_cannot_be_taken_back_as_declared_is_left_out_with_what_it_takes_back() -> None:
    tools = [write("first", "second"), write("second", "third"), write("third", "nowhere"), tool("good")]

    found = await Listing(tools=tools).found(LIBRARY)

    assert [one.name for one in found.spec.operations] == ["good"]
    reasons = {one.tool: one.reason for one in found.refused}
    assert {name: "undone by" in why for name, why in reasons.items()} == dict.fromkeys(
        ["first", "second", "third"], True
    )


async def test_an_example_that_is_none_keeps_no_other_tool_from_being_accepted() -> None:
    shown = tool("shown", effect="read", tier="low", examples=[{"text": 7}])

    found = await Listing(tools=[shown, tool("good")]).found(LIBRARY)

    assert [one.name for one in found.spec.operations] == ["good"]
    assert "example 1" in found.refused[0].reason


async def test_a_declaration_that_cannot_be_read_is_refused_in_words_of_the_hub() -> None:
    huge = tool("post", effect="update", tier="huge")

    found = await Listing(tools=[tool("find"), huge]).found(LIBRARY)

    assert [one.name for one in found.spec.operations] == ["find"]
    assert found.refused[0].reason.startswith("tier: Input should be 'low', ")
    assert "pydantic" not in found.refused[0].reason


async def test_a_read_that_says_it_writes_is_held_back_whatever_others_are_called(notes: Notes) -> None:
    others = [{**POST, "name": name} for name in (*FALLING_TOGETHER, "notes_resources")]
    notes.says({**FIND, "annotations": {"readOnlyHint": False}}, POST, *others)

    seen = await notes.look()

    assert seen.change is not None
    with pytest.raises(Quarantined):
        await notes.description()
