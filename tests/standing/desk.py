"""What tests of standing grants do with a world: let ann grant calls like one, and change what a grant rests on."""

from datetime import UTC, datetime, timedelta
from typing import Any

from world import World

from connectors.sdk.vocabulary import Tier
from hub.bundles import Publication, default_bundle_text, publish_bundle
from hub.invocations.decisions import decide_on, understand
from hub.invocations.granting import Wanted, give
from hub.invocations.preview import dry_run
from hub.invocations.receive import receive
from hub.invocations.states import State
from hub.invocations.under_grant import approve_by_grant
from hub.invocations.values import Call, Invocation
from hub.policy import Action, Obliged
from hub.registry import find_tool, set_owner_tier
from hub.standing import Limit, StandingGrant, get_grant
from hub.storage import Tx


def item(number: int, quantity: int = 600_000) -> dict[str, Any]:
    """Return the arguments of a write of tier high, of which approvers are asked."""
    return {"id": number, "name": "ruler", "quantity": quantity}


async def asked(world: World, number: int = 40) -> Invocation:
    waiting = await world.call("item_put", item(number))
    assert waiting.state is State.AWAITING_APPROVAL
    return waiting


def wanted(world: World, example: Invocation, /, **more: Any) -> Wanted:  # noqa: ANN401  # what a test wants otherwise
    ordinary: dict[str, Any] = {
        "like": example.id,
        "giver": world.ann,
        "authenticated_at": datetime.now(UTC),
        "reason": "Rulers are routine.",
        "uses": 2,
        "lasts": timedelta(days=7),
        "limits": {"quantity": Limit(at_most=700_000)},
    }
    return Wanted(**{**ordinary, **more})


async def granted(world: World, **more: Any) -> StandingGrant:  # noqa: ANN401  # see wanted
    """Let ann grant calls like one that she is asked about."""
    return await give(wanted(world, await asked(world), **more), world.runtime)


async def uses_left(world: World, grant: StandingGrant) -> int:
    async with world.runtime.database.reading() as tx:
        return (await get_grant(tx, grant.id)).uses_left


async def approved_only(world: World, number: int) -> Invocation:
    """Take a call as far as its approval by a grant, as a process does that ends right after it."""
    call = Call(caller=world.caller, server="everything", tool="item_put", arguments=item(number), trace_id="t")
    request, decision = await understand(call, world.runtime)
    received = await receive(request, decision, world.runtime)
    previewed = await dry_run(received, request.tool, world.runtime)
    obliged = await decide_on(Action.AUTOCOMMIT, previewed, request.tool, world.runtime)
    assert isinstance(obliged, Obliged)
    approved = await approve_by_grant(previewed, request.tool, obliged, world.runtime)
    assert approved is not None
    return approved


async def tier_is_raised(world: World, tx: Tx) -> None:
    tool = await find_tool(tx, "upstream", "item_put")
    assert tool is not None
    await set_owner_tier(tx, tool.id, Tier.CRITICAL, world.runtime.authority)


async def publish(world: World, tx: Tx, text: str) -> None:
    await publish_bundle(
        tx, world.runtime.database, world.runtime.keys, Publication(environment="dev", text=text, by=None)
    )


def rules() -> str:
    """The default bundle without its examples, which other rules would break."""
    return "\n".join(line for line in default_bundle_text().splitlines() if not line.startswith("//?"))


async def policy_asks_for_two(world: World, tx: Tx) -> None:
    await publish(world, tx, rules().replace('@require("approvers:1")', '@require("approvers:2")'))


async def policy_takes_the_givers_vote(world: World, tx: Tx) -> None:
    rule = f'@id("not-ann") forbid (principal == User::"{world.ann.id}", action == Action::"approve", resource);'
    await publish(world, tx, f"{rules()}\n{rule}")
