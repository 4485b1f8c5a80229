"""Who and what is in the demo's hub before it starts: accounts, the agent, the Tryton connector and its connection."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from connectors.tryton import connector
from hub.cli.demo.hub_process import HubProcess
from hub.credentials import Vault
from hub.identity.accounts import NewUser
from hub.identity.authority import Authority
from hub.identity.bootstrap import account_create
from hub.identity.clients import NewAgent, create_agent, issue_secret
from hub.identity.principals import Principal, Role
from hub.identity.resources import EVERYTHING
from hub.opening import open_database, open_keyring
from hub.registry import (
    Badge,
    Connection,
    Environment,
    NewConnection,
    create_connection,
    keep_badge,
    register_connector,
)
from hub.storage import Tx
from hub.storage.migrations import upgrade

READ: Final = "tryton:read"
WRITE: Final = "tryton:write"
REDIRECT_URI: Final = "http://127.0.0.1/callback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part that somebody plays."""

    name: str
    display_name: str
    role: Role = Role.MEMBER
    groups: tuple[str, ...] = ()
    does: str


CAST: Final = (
    Part(name="alma", display_name="Alma", role=Role.ADMINISTRATOR, does="administers the hub"),
    Part(name="tom", display_name="Tom", does="owns the Tryton tools and the agent"),
    Part(name="rita", display_name="Rita", does="asks; the agent acts for her"),
    Part(name="ann", display_name="Ann", groups=("approvers",), does="approves"),
    Part(name="carl", display_name="Carl", groups=("controllers",), does="controls"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What came of it: everybody's password, made for this run, and how the agent proves itself."""

    passwords: Mapping[str, str] = field(repr=False)
    client_id: str
    client_secret: str = field(repr=False)


async def settle(hub: HubProcess, *, tryton_url: str, tryton_password: str, badge: Badge) -> Settled:
    """Fill the empty database of a hub that does not run yet; `badge` is what was found of the Tryton connector."""
    passwords = {part.name: secrets.token_urlsafe(12) for part in CAST}
    settings = hub.settings
    async with open_database(settings) as database:
        await upgrade(database)
        keys = await open_keyring(settings, database)
        authority = Authority(database=database, keys=keys)
        async with database.transaction() as tx:
            people = {part.name: await account_create(tx, _account(part, passwords), authority) for part in CAST}
            agent = await create_agent(tx, _agent(people["tom"]), authority)
            secret = await issue_secret(tx, agent.id, authority)
            connection = await _connect(tx, tryton_url, people["tom"], authority)
            await keep_badge(tx, badge, authority)
            login = {"login": "hub", "password": tryton_password}
            await Vault(keys).put(tx, connection.id, login, authority)
    return Settled(passwords=passwords, client_id=agent.id, client_secret=secret.value)


def _account(part: Part, passwords: Mapping[str, str]) -> NewUser:
    return NewUser(
        name=part.name,
        display_name=part.display_name,
        password=passwords[part.name],
        roles=frozenset({part.role, Role.MEMBER}),
        groups=frozenset(part.groups),
    )


def _agent(owner: Principal) -> NewAgent:
    return NewAgent(
        name="office-agent",
        display_name="Office agent",
        owner_id=owner.id,
        allowed_scopes=frozenset({READ, WRITE}),
        allowed_servers=frozenset({EVERYTHING}),
        redirect_uris=(REDIRECT_URI,),
    )


async def _connect(tx: Tx, url: str, owner: Principal, authority: Authority) -> Connection:
    await register_connector(tx, connector.spec, authority, owner_id=owner.id)
    new = NewConnection(
        name="tryton", connector=connector.spec.name, environment=Environment.DEV, base_url=url, owner_id=owner.id
    )
    return await create_connection(tx, new, authority)
