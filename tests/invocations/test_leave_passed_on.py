"""Leave that came through other hands or on an issuer's word: who takes it back ends what waits, however late it is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Final

import pytest
from plans.errand import carried_out, halfway, switch
from sqlalchemy import update
from upstream.composites import PUT, RENAME
from world import World, caller_for

from hub.core.ids import new_id
from hub.identity.accounts import put_out, suspend
from hub.identity.accounts import resume as let_act_again
from hub.identity.acting import acting_for, is_anybody_acting_for, stop_acting
from hub.identity.clients import NewAgent, create_agent, limit_client
from hub.identity.foreign_people import link, unlink
from hub.identity.grants import BY_ITS_CLIENT, NARROWED, narrow_grants_to, revoke_grant, revoke_stolen
from hub.identity.issuers import Issuer
from hub.identity.principals import Caller, Principal
from hub.identity.sweeping import sweep
from hub.identity.tables import ConsentRow, GrantRow
from hub.invocations.callers import caller_of as caller_on_record
from hub.invocations.journal import load
from hub.invocations.queries import asked_for, cancel
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.storage import Tx, now

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

ISSUER: Final = Issuer.model_validate(
    {"name": "acme", "title": "Acme", "issuer": "https://issuer.example", "client_id": "hub"}
)
OTHER: Final = Issuer.model_validate(
    {"name": "other", "title": "Other", "issuer": "https://other.example", "client_id": "hub"}
)
TAKEN_BACK = "That Bot may do this in the name of Rita was taken back since it asked."


@dataclass(frozen=True, kw_only=True)
class Through(World):
    """The small world, in which bot has rita's leave through another agent."""

    hand: Principal

    @property
    def caller(self) -> Caller:
        """Bot, acting for rita by what the other agent passed on."""
        return replace(caller_for(self.bot, self.rita), passed_on_by=(self.hand.id,))


@dataclass(frozen=True, kw_only=True)
class Hands:
    """The small world, and `front`, an agent that rita talks to and that passes her leave on to bot."""

    world: World
    front: Principal

    @property
    def through_front(self) -> Caller:
        """Bot, acting for rita by what front passed on."""
        return self.seen_through_front.caller

    @property
    def seen_through_front(self) -> Through:
        """The world in which bot has its leave from front."""
        world = self.world
        return Through(**{one.name: getattr(world, one.name) for one in fields(world)}, hand=self.front)


Change = Callable[[Hands, Tx], Awaitable[object]]


@pytest.fixture
async def hands(world: World) -> Hands:
    async with world.runtime.database.transaction() as tx:
        new = NewAgent(
            name="front",
            display_name="Front",
            owner_id=world.ann.id,
            allowed_scopes=world.bot.allowed_scopes,
            allowed_servers=world.bot.allowed_servers,
        )
        made = Hands(world=world, front=await create_agent(tx, new, world.runtime.authority))
        for agent in (made.front, world.bot):
            await agreed(made, tx, agent, "upstream:read", "upstream:write")
        for known in (ISSUER, OTHER):
            await link(tx, world.rita.id, known, "s-1", world.runtime.authority)
        return made


async def agreed(hands: Hands, tx: Tx, agent: Principal, *scopes: str, server: str = "/mcp") -> ConsentRow:
    given = ConsentRow(
        id=new_id("cns"),
        user_id=hands.world.rita.id,
        client_id=agent.id,
        resource=f"{hands.world.runtime.public_url}{server}",
        scopes=[*scopes],
        given_at=await now(tx),
    )
    tx.add(given)
    await tx.flush()
    return given


async def grant_of(hands: Hands, tx: Tx, agent: Principal, *, for_nobody: bool = False) -> GrantRow:
    """Return a grant of an agent for rita that is over since two days."""
    at = await now(tx)
    row = GrantRow(
        id=new_id("grt"),
        kind="authorization_code",
        client_id=agent.id,
        user_id=None if for_nobody else hands.world.rita.id,
        scopes=["upstream:read", "upstream:write"],
        resource=f"{hands.world.runtime.public_url}/mcp",
        server="everything",
        created_at=at - timedelta(days=3),
        expires_at=at - timedelta(days=2),
    )
    tx.add(row)
    await tx.flush()
    return row


async def the_person_takes_it_back(hands: Hands, tx: Tx) -> None:
    await stop_acting(tx, hands.world.rita.id, hands.front.id, hands.world.runtime.authority)


async def the_person_takes_it_back_and_gives_it_again(hands: Hands, tx: Tx) -> None:
    await the_person_takes_it_back(hands, tx)
    await agreed(hands, tx, hands.front, "upstream:read", "upstream:write")


async def the_person_allows_less(hands: Hands, tx: Tx) -> None:
    await narrow_grants_to(tx, await agreed(hands, tx, hands.front, "upstream:read"), hands.world.runtime.authority)


async def tokens_are_found_stolen(hands: Hands, tx: Tx) -> None:
    """Revoke a grant that is over, and let it be swept."""
    grant = await grant_of(hands, tx, hands.front)
    await revoke_stolen(tx, grant.id, "refresh token", hands.world.runtime.authority)
    await sweep(tx)
    tx.expunge(grant)
    assert await tx.get(GrantRow, grant.id) is None


async def tokens_that_were_given_back_are_found_stolen(hands: Hands, tx: Tx) -> None:
    """Let a thief be the first to use a token, and then log out."""
    grant = await grant_of(hands, tx, hands.front)
    grant.expires_at = await now(tx) + timedelta(days=1)
    await revoke_grant(tx, grant.id, BY_ITS_CLIENT, hands.world.runtime.authority)
    await revoke_stolen(tx, grant.id, "refresh token", hands.world.runtime.authority)


async def the_person_is_put_out(hands: Hands, tx: Tx) -> None:
    await put_out(tx, hands.world.rita.id, "password changed", hands.world.runtime.authority)


async def it_is_put_out_for_a_while(hands: Hands, tx: Tx) -> None:
    await suspend(tx, hands.front.id, "strange behaviour", hands.world.runtime.authority)
    await let_act_again(tx, hands.front.id, hands.world.runtime.authority)


async def it_is_suspended(hands: Hands, tx: Tx) -> None:
    await suspend(tx, hands.front.id, "strange behaviour", hands.world.runtime.authority)


async def its_scope_is_taken_away(hands: Hands, tx: Tx) -> None:
    scopes, servers = frozenset({"upstream:read"}), hands.front.allowed_servers
    await limit_client(tx, hands.front.id, scopes=scopes, servers=servers, authority=hands.world.runtime.authority)


async def its_servers_are_taken_away(hands: Hands, tx: Tx) -> None:
    scopes, servers = hands.front.allowed_scopes, frozenset[str]()
    await limit_client(tx, hands.front.id, scopes=scopes, servers=servers, authority=hands.world.runtime.authority)


NO_SERVER = "Front, which passed its leave on, may no longer use everything-dev."
LOSSES: dict[Change, str] = {
    the_person_takes_it_back: TAKEN_BACK,
    the_person_takes_it_back_and_gives_it_again: TAKEN_BACK,
    the_person_allows_less: TAKEN_BACK,
    tokens_are_found_stolen: TAKEN_BACK,
    tokens_that_were_given_back_are_found_stolen: TAKEN_BACK,
    the_person_is_put_out: TAKEN_BACK,
    it_is_put_out_for_a_while: TAKEN_BACK,
    it_is_suspended: "Front is suspended.",
    its_scope_is_taken_away: "Front may no longer use item_delete.",
    its_servers_are_taken_away: NO_SERVER,
}


async def it_gives_its_tokens_back(hands: Hands, tx: Tx) -> None:
    for reason in (BY_ITS_CLIENT, NARROWED):
        await revoke_grant(tx, (await grant_of(hands, tx, hands.front)).id, reason, hands.world.runtime.authority)


async def what_it_holds_for_nobody_is_found_stolen(hands: Hands, tx: Tx) -> None:
    grant = await grant_of(hands, tx, hands.front, for_nobody=True)
    await revoke_stolen(tx, grant.id, "refresh token", hands.world.runtime.authority)


async def everything_is_over_and_swept(hands: Hands, tx: Tx) -> None:
    await grant_of(hands, tx, hands.front)
    await sweep(tx)


async def less_is_allowed_elsewhere(hands: Hands, tx: Tx) -> None:
    await agreed(hands, tx, hands.front, "upstream:read", server="/servers/another/mcp")


async def each_is_allowed_it_in_other_words(hands: Hands, tx: Tx) -> None:
    await agreed(hands, tx, hands.front, "upstream:write")
    await agreed(hands, tx, hands.world.bot, "tool:item_delete")


async def somebody_else_takes_it_back(hands: Hands, tx: Tx) -> None:
    others = replace(hands, world=replace(hands.world, rita=hands.world.ann))
    await agreed(others, tx, hands.front, "upstream:read")
    await the_person_takes_it_back(others, tx)
    await the_person_is_put_out(others, tx)


NO_MATTER = [
    it_gives_its_tokens_back,
    what_it_holds_for_nobody_is_found_stolen,
    everything_is_over_and_swept,
    less_is_allowed_elsewhere,
    each_is_allowed_it_in_other_words,
    somebody_else_takes_it_back,
]


async def approved_before(hands: Hands, change: Change, *, caller: Caller) -> Invocation:
    """Return a write that ann has approved, and then something changed."""
    asked = await hands.world.call("item_delete", {"id": 1}, caller=caller)
    await hands.world.vote(asked, hands.world.ann)
    async with hands.world.runtime.database.transaction() as tx:
        await change(hands, tx)
    return asked


@pytest.mark.parametrize("change", LOSSES)
async def test_what_was_asked_through_another_agent_ends_with_that_ones_leave(hands: Hands, change: Change) -> None:
    asked = await approved_before(hands, change, caller=hands.through_front)

    after = await resume(asked.id, hands.world.runtime)
    ended = await resume(asked.id, hands.world.runtime)

    assert (after.state, after.error_message) == (State.STALE, LOSSES[change])
    assert (ended.state, ended.error_message) == (State.EXPIRED, LOSSES[change])
    assert hands.world.upstream.store.effects() == []


@pytest.mark.parametrize("change", NO_MATTER)
async def test_what_takes_back_nothing_of_it_changes_nothing(hands: Hands, change: Change) -> None:
    asked = await approved_before(hands, change, caller=hands.through_front)

    assert (await resume(asked.id, hands.world.runtime)).state is State.VERIFIED


@pytest.mark.parametrize("change", [one for one in LOSSES if one is not the_person_is_put_out])
async def test_what_another_agent_loses_is_nothing_to_who_has_the_leave_itself(hands: Hands, change: Change) -> None:
    asked = await approved_before(hands, change, caller=hands.world.caller)

    assert (await resume(asked.id, hands.world.runtime)).state is State.VERIFIED


async def test_a_plan_goes_no_further_once_the_leave_it_was_asked_by_is_taken_back(hands: Hands) -> None:
    world = hands.seen_through_front
    plan = await halfway(world, [PUT, RENAME])
    async with world.runtime.database.transaction() as tx:
        await the_person_takes_it_back(hands, tx)
    await switch(world, "item_update", on=False)

    ended = await carried_out(world, plan)

    assert ended.state is State.UNDONE
    assert TAKEN_BACK in (ended.error_message or "")


async def test_a_call_keeps_by_what_leave_it_came(hands: Hands) -> None:
    caller = replace(hands.through_front, issuer=ISSUER.issuer)
    asked = await hands.world.call("item_delete", {"id": 1}, caller=caller)
    read = await hands.world.call("item_get", {"id": 1}, caller=caller)

    async with hands.world.runtime.database.reading() as tx:
        for one in (asked, read):
            continued = await caller_on_record(tx, await load(tx, one.id))
            assert (continued.passed_on_by, continued.issuer) == ((hands.front.id,), ISSUER.issuer)


async def its_issuer_is_unlinked(hands: Hands, tx: Tx) -> None:
    await unlink(tx, hands.world.rita.id, ISSUER.issuer, hands.world.runtime.authority)


async def its_issuer_is_unlinked_and_linked_again(hands: Hands, tx: Tx) -> None:
    await its_issuer_is_unlinked(hands, tx)
    await link(tx, hands.world.rita.id, ISSUER, "s-1", hands.world.runtime.authority)


async def another_issuer_is_unlinked(hands: Hands, tx: Tx) -> None:
    await unlink(tx, hands.world.rita.id, OTHER.issuer, hands.world.runtime.authority)


async def its_issuer_is_unlinked_from_somebody_else(hands: Hands, tx: Tx) -> None:
    await link(tx, hands.world.ann.id, ISSUER, "s-2", hands.world.runtime.authority)
    await unlink(tx, hands.world.ann.id, ISSUER.issuer, hands.world.runtime.authority)


async def its_agent_is_taken_back_from(hands: Hands, tx: Tx) -> None:
    await stop_acting(tx, hands.world.rita.id, hands.world.bot.id, hands.world.runtime.authority)


@pytest.mark.parametrize(
    "change", [its_issuer_is_unlinked, its_issuer_is_unlinked_and_linked_again, its_agent_is_taken_back_from]
)
async def test_what_was_asked_on_an_issuers_word_ends_with_its_link(hands: Hands, change: Change) -> None:
    on_its_word = replace(hands.world.caller, issuer=ISSUER.issuer)
    asked = await approved_before(hands, change, caller=on_its_word)

    after = await resume(asked.id, hands.world.runtime)

    assert (after.state, after.error_message) == (State.STALE, TAKEN_BACK)
    assert hands.world.upstream.store.effects() == []


@pytest.mark.parametrize("change", [another_issuer_is_unlinked, its_issuer_is_unlinked_from_somebody_else])
async def test_what_was_asked_on_an_issuers_word_stands_while_that_one_is_linked(hands: Hands, change: Change) -> None:
    on_its_word = replace(hands.world.caller, issuer=ISSUER.issuer)
    asked = await approved_before(hands, change, caller=on_its_word)

    assert (await resume(asked.id, hands.world.runtime)).state is State.VERIFIED


async def test_what_was_asked_on_the_persons_own_word_is_nothing_to_an_issuer(hands: Hands) -> None:
    asked = await approved_before(hands, its_issuer_is_unlinked, caller=hands.world.caller)

    assert (await resume(asked.id, hands.world.runtime)).state is State.VERIFIED


async def named_to(world: World, person: Principal) -> list[str]:
    """Return the agents that a person is told of."""
    async with world.runtime.database.reading() as tx:
        asked = await asked_for(tx, person.id)
        named = [one.agent.id for one in await acting_for(tx, person.id, asked)]
        assert await is_anybody_acting_for(tx, person.id, asked) == bool(named)
    return named


async def test_an_agent_whose_token_ran_out_is_told_while_it_waits_and_can_be_taken_back_from(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        await link(tx, world.rita.id, ISSUER, "s-1", world.runtime.authority)
    asked = await world.call("item_delete", {"id": 1}, caller=replace(world.caller, issuer=ISSUER.issuer))
    await world.vote(asked, world.ann)
    assert (await named_to(world, world.rita), await named_to(world, world.ann)) == ([world.bot.id], [])

    async with world.runtime.database.transaction() as tx:
        open_calls = await asked_for(tx, world.rita.id)
        await stop_acting(tx, world.rita.id, world.bot.id, world.runtime.authority, open_calls)
    assert await named_to(world, world.rita) == []

    assert (await resume(asked.id, world.runtime)).error_message == TAKEN_BACK
    assert world.upstream.store.effects() == []


async def test_an_agent_that_asks_anew_after_it_was_taken_back_is_told_again(world: World) -> None:
    await world.call("item_delete", {"id": 1})
    async with world.runtime.database.transaction() as tx:
        open_calls = await asked_for(tx, world.rita.id)
        await stop_acting(tx, world.rita.id, world.bot.id, world.runtime.authority, open_calls)

    asked = await world.call("item_delete", {"id": 1}, run="another")

    assert asked.state is State.AWAITING_APPROVAL, asked.error_message
    assert await named_to(world, world.rita) == [world.bot.id]


async def test_what_has_ended_or_was_only_read_names_no_agent(world: World) -> None:
    read = await world.call("item_get", {"id": 1})
    async with world.runtime.database.transaction() as tx:  # as if its process had died
        await tx.execute(update(InvocationRow).where(InvocationRow.id == read.id).values(state=State.RECEIVED.value))
    asked = await world.call("item_delete", {"id": 1})
    await cancel(world.runtime, world.caller, asked.id, reason="")

    assert await named_to(world, world.rita) == []


async def test_the_steps_of_a_plan_name_no_agent_beside_it(world: World) -> None:
    plan = await halfway(world, [PUT, RENAME])
    async with world.runtime.database.transaction() as tx:  # as if its first step were under way
        step = update(InvocationRow).where(InvocationRow.part_of == plan.id)
        await tx.execute(step.values(state=State.SENT.value))
        assert await asked_for(tx, world.rita.id) == {world.bot.id: plan.created_at}
