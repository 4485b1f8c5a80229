"""Letters in the small world of tests: a connection, an agent that asks for one, and an operator who lets it go."""

from upstream.mailing import connector
from world import World

from hub.identity.accounts import set_roles
from hub.identity.directory import get
from hub.identity.principals import Caller, Role
from hub.invocations.break_glass import Breaking, break_glass
from hub.invocations.values import Invocation
from hub.registry import Environment, NewConnection, create_connection, register_connector
from hub.storage import now


async def connect_mailing(world: World) -> None:
    """Register the connector, and connect it to the upstream of `world`."""
    runtime, upstream = world.runtime, world.upstream
    async with runtime.database.transaction() as tx:
        await register_connector(tx, connector.spec, runtime.authority)
        new = NewConnection(name="mail", connector="mailing", environment=Environment.DEV, base_url=upstream.base_url)
        connection = await create_connection(tx, new, runtime.authority)
        await runtime.vault.put(tx, connection.id, {"token": upstream.token}, runtime.authority)


async def asked_to_send(world: World, text: str, recipient: str) -> Invocation:
    """Let the agent ask for a letter."""
    caller = Caller(actor=world.bot, on_behalf_of=world.rita, scopes=frozenset({"mailing:write"}), client_id="bot")
    return await world.call("letter_send", {"text": text, "recipient": recipient}, caller=caller)


async def let_go(world: World, asked: Invocation) -> Invocation:
    """Let carl, an operator now, break the glass for what waits."""
    assert asked.question is not None
    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, world.carl.id, frozenset({Role.OPERATOR, Role.MEMBER}), world.runtime.authority)
        breaker, at = await get(tx, world.carl.id), await now(tx)
    breaking = Breaking(
        invocation_id=asked.id,
        digest=asked.question.digest,
        breaker=breaker,
        authenticated_at=at,
        reason="It cannot wait.",
    )
    return await break_glass(breaking, world.runtime)
