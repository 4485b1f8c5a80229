"""Questions for tests: a policy that asks whom a test wants to be asked, and the people for it."""

from world import PASSWORD, World

from hub.bundles import Publication, default_bundle_text, publish_bundle
from hub.identity.accounts import NewUser, create_group, create_user
from hub.identity.principals import Principal
from hub.invocations.values import Invocation

_HIGH = '@require("approvers:1")'


def rules(annotations: str) -> str:
    """Return the default rules, asking by `annotations` wherever they ask the approvers alone; without examples."""
    text = "\n".join(line for line in default_bundle_text().splitlines() if not line.startswith("//?"))
    return text.replace(f'{_HIGH}\n@ttl("PT24H")', annotations)


async def ask_by(world: World, annotations: str) -> None:
    """Let policy ask by `annotations`, say `@require("finance:1, then legal:1") @ttl("PT4H")`."""
    publication = Publication(environment="dev", text=rules(annotations), by=None)
    async with world.runtime.database.transaction() as tx:
        await publish_bundle(tx, world.runtime.database, world.runtime.keys, publication)


async def add_groups(world: World, *names: str) -> None:
    """Let there be groups."""
    async with world.runtime.database.transaction() as tx:
        for name in names:
            await create_group(tx, name, name.title(), world.runtime.authority)


async def add_person(world: World, name: str, *groups: str) -> Principal:
    """Let there be somebody who is in `groups`."""
    new = NewUser(name=name, display_name=name.title(), password=PASSWORD, groups=frozenset(groups))
    async with world.runtime.database.transaction() as tx:
        return await create_user(tx, new, world.runtime.authority)


async def wish(world: World, number: int = 1) -> Invocation:
    """Let the agent ask for something of tier high."""
    return await world.call("item_delete", {"id": number})
