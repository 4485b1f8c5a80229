"""What a digest binds: every part of a call has one, and two calls that mean the same have the same."""

import json
import unicodedata
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from world import World

from connectors.sdk.preview import Blast, Change, Precondition, Preview, SideEffect
from connectors.sdk.vocabulary import Effect, Fidelity
from hub.approvals.ballots import ChangedSinceSeen
from hub.approvals.questions import Terms
from hub.core.canonical import parse_json
from hub.core.errors import ArgumentsInvalid, Malformed
from hub.dryrun import preview_digest
from hub.invocations.queries import current
from hub.invocations.request import intent_digest
from hub.invocations.secrecy import bind
from hub.invocations.states import State
from hub.invocations.votes import vote

pytestmark = pytest.mark.anyio
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Json = Any
"""Any JSON value."""

NAME: Final = "Caf\u00e9"
ARGUMENTS: Final = {"title": NAME}


@on_sqlite
async def test_the_intent_binds_every_part_of_a_call(world: World) -> None:
    tool = await world.runtime.catalog.resolve("ticket_create", server="everything", caller=world.caller)
    whole: dict[str, Json] = {
        "agent_id": "a",
        "on_behalf_of_id": "u",
        "arguments": bind(tool, ARGUMENTS, world.runtime.keys),
        "undoes": None,
    }
    connection = replace(tool.connection, id="con_other"), replace(tool.connection, generation=99)
    tools = [
        tool,
        replace(tool, environment="prod"),
        replace(tool, tool=replace(tool.tool, id="tool_other")),
        replace(tool, version=replace(tool.version, digest="0" * 64)),
        *(replace(tool, connection=one) for one in connection),
    ]
    others: list[dict[str, Json]] = [
        {"agent_id": "b"},
        {"on_behalf_of_id": "v"},
        {"on_behalf_of_id": None},
        {"undoes": "inv_other"},
        {"arguments": bind(tool, {"title": NAME + "."}, world.runtime.keys)},
        {"arguments": bind(tool, {"title": unicodedata.normalize("NFD", NAME)}, world.runtime.keys)},
    ]

    digests = [intent_digest(one, **whole) for one in tools]
    digests += [intent_digest(tool, **{**whole, **other}) for other in others]

    assert len(set(digests)) == len(tools) + len(others)


SEEN: Final = Preview(
    changes=(Change(target="items/1", effect=Effect.UPDATE, before={"quantity": 1}, after={"quantity": 2}),),
    side_effects=(SideEffect(kind="mail", recipient="ann@example.com"),),
    preconditions=(Precondition(target="items/1", token="7"),),
    blast=Blast(rows=1, money_minor=100, currency="EUR"),
    fidelity=Fidelity.SIMULATED,
)
OTHERWISE: Final[dict[str, Json]] = {
    "the target": {"changes": (SEEN.changes[0].model_copy(update={"target": "items/2"}),)},
    "the effect": {"changes": (SEEN.changes[0].model_copy(update={"effect": Effect.CREATE}),)},
    "what was there": {"changes": (SEEN.changes[0].model_copy(update={"before": {"quantity": 3}}),)},
    "what will be there": {"changes": (SEEN.changes[0].model_copy(update={"after": {"quantity": 3}}),)},
    "what nobody knows": {"changes": (SEEN.changes[0].model_copy(update={"unknown": ("number",)}),)},
    "what is masked": {"changes": (SEEN.changes[0].model_copy(update={"sensitive": ("quantity",)}),)},
    "another change": {"changes": SEEN.changes * 2},
    "who is told": {"side_effects": (SideEffect(kind="mail", recipient="bob@example.com"),)},
    "the version": {"preconditions": (Precondition(target="items/1", token="8"),)},
    "how it is guarded": {"preconditions": (Precondition(target="items/1", token="7", strength="weak"),)},
    "the rows": {"blast": Blast(rows=2, money_minor=100, currency="EUR")},
    "the money": {"blast": Blast(rows=1, money_minor=101, currency="EUR")},
    "the currency": {"blast": Blast(rows=1, money_minor=100, currency="USD")},
    "the parties": {"blast": Blast(rows=1, money_minor=100, currency="EUR", parties=1)},
    "how sure it is": {"fidelity": Fidelity.EXECUTED},
}


def test_the_preview_binds_everything_that_a_voter_decides_on() -> None:
    digests = {preview_digest(SEEN.model_copy(update=other)) for other in OTHERWISE.values()}

    assert len(digests - {preview_digest(SEEN)}) == len(OTHERWISE)


@on_sqlite
async def test_the_same_call_written_otherwise_is_the_same_call(world: World) -> None:
    first = await world.call("item_update", {"id": 1, "quantity": 5}, run="r")

    order = await world.call("item_update", {"quantity": 5, "id": 1}, run="r")
    fraction = await world.call("item_update", {"id": 1, "quantity": 5.0}, run="r")

    assert [(one.id, one.repeats) for one in (order, fraction)] == [(first.id, True)] * 2
    assert len(world.upstream.store.effects()) == 1


@on_sqlite
async def test_two_spellings_of_one_name_are_two_calls(world: World) -> None:
    one = await world.call("ticket_create", {"title": unicodedata.normalize("NFC", NAME)}, run="r")
    other = await world.call("ticket_create", {"title": unicodedata.normalize("NFD", NAME)}, run="r")

    assert one.id != other.id
    assert one.intent_digest != other.intent_digest


@on_sqlite
@pytest.mark.parametrize("number", [2**53, -(2**53), 10**30])
async def test_a_number_that_two_readers_read_differently_is_refused(world: World, number: int) -> None:
    with pytest.raises((ArgumentsInvalid, Malformed)):
        await world.call("item_update", {"id": 1, "quantity": number})

    assert world.upstream.store.effects() == []


@pytest.mark.parametrize("text", ['{"id": 1, "id": 2}', '{"a": {"id": 1, "\\u0069d": 2}}'])
def test_an_object_with_one_name_twice_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_json(text.encode())

    assert json.loads(text)  # the reader of the standard library takes the last one and says nothing


@on_sqlite
async def test_a_vote_on_what_an_older_page_showed_is_refused_and_counts_nowhere(world: World) -> None:
    asked = await world.call("item_delete", {"id": 1})

    with pytest.raises(ChangedSinceSeen):
        await vote(replace(world.ballot(asked, world.ann), digest="0" * 64), world.runtime)

    standing = await current(world.runtime, asked.id)
    assert (standing.state, standing.question and standing.question.votes) == (State.AWAITING_APPROVAL, ())


@on_sqlite
async def test_an_approval_binds_all_its_terms(world: World) -> None:
    asked = await world.call("item_delete", {"id": 1})
    assert asked.question is not None
    terms = Terms(
        intent_digest="1" * 64,
        preview_digest="2" * 64,
        policy_digest="3" * 64,
        obligations=asked.question.obligations,
        summary=asked.question.summary,
        expires_at=datetime(2026, 11, 21, tzinfo=UTC),
        nonce="n",
    )
    otherwise: dict[str, Json] = {
        "intent_digest": "0" * 64,
        "preview_digest": "0" * 64,
        "policy_digest": "0" * 64,
        "obligations": (),
        "summary": {**terms.summary, "title": "Something harmless"},
        "expires_at": terms.expires_at + timedelta(milliseconds=1),
        "nonce": "m",
        "granted": {"grant": "grant_1", "giver": "usr_1"},
    }

    digests = {replace(terms, **{name: value}).digest for name, value in otherwise.items()}

    assert set(otherwise) == {one.name for one in fields(Terms)}
    assert len(digests - {terms.digest}) == len(otherwise)
