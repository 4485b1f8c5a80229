"""Runners: machines elsewhere whose word about one connector counts, as long as it is signed with their key."""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from sqlalchemy import select

from hub.audit import EventKind
from hub.core.errors import Conflict, Forbidden, InputError, NotFound
from hub.core.ids import new_id
from hub.identity.authority import Authority
from hub.identity.directory import get
from hub.identity.principals import PrincipalKind, Role
from hub.registry.stewardship import Stewards, require_steward
from hub.registry.tables import ConnectorRow, RunnerRow
from hub.storage import Tx, now

_KEY_BYTES: Final = 32
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRunner:
    """A runner to register: its name, its public key (Ed25519, base64), and the agent that may send its reports."""

    name: str
    public_key: str
    agent_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A registered runner of one connector."""

    id: str
    connector: str
    name: str
    public_key: str
    agent_id: str | None
    registered_at: datetime
    revoked_at: datetime | None


async def register_runner(tx: Tx, connector: str, wanted: NewRunner, authority: Authority) -> Runner:
    """Let reports about `connector` that are signed by `wanted` count; for administrators, not for owners.

    Raises:
        NotFound: there is no such connector or agent.
        Forbidden: it is no administrator: whoever could register a runner could be one.
        InputError: the name or the key is none.
        Conflict: the connector has a runner of that name already; revoked ones keep theirs.
    """
    if await tx.get(ConnectorRow, connector) is None:
        raise NotFound(f"There is no connector {connector!r}.")
    if authority.by is not None and not (await get(tx, authority.by)).has_role(Role.ADMINISTRATOR):
        raise Forbidden("Only an administrator may register a runner: what it signs counts like a run here.")
    if not _NAME.fullmatch(wanted.name):
        raise InputError("In a runner's name stand small letters, digits and hyphens, at most 48.")
    _key(wanted.public_key)
    if wanted.agent_id is not None and (await get(tx, wanted.agent_id)).kind is PrincipalKind.USER:
        raise InputError("A runner's reports are sent by an agent or a service, or by the connector's owner.")
    same = select(RunnerRow).where(RunnerRow.connector == connector, RunnerRow.name == wanted.name)
    if await tx.scalar(same) is not None:
        raise Conflict(f"{connector} has or had a runner {wanted.name!r}; give this one another name.")
    row = RunnerRow(
        id=new_id("rnr"),
        connector=connector,
        name=wanted.name,
        public_key=wanted.public_key,
        agent_id=wanted.agent_id,
        registered_by=authority.by,
        registered_at=await now(tx),
    )
    tx.add(row)
    await tx.flush()
    facts = {"runner": row.id, "key": wanted.public_key, "agent": wanted.agent_id}
    await authority.record(tx, EventKind.RUNNER_REGISTERED, connector, **facts)
    return _runner(row)


async def revoke_runner(tx: Tx, connector: str, runner_id: str, authority: Authority) -> None:
    """Let no further report of a runner count; for administrators and the connector's owner. What it proved stays.

    Raises:
        NotFound: there is no such runner, or it is revoked.
        Forbidden: it is somebody else.
    """
    row = await tx.get(RunnerRow, runner_id, with_for_update=True)
    if row is None or row.connector != connector or row.revoked_at is not None:
        raise NotFound(f"{connector} has no runner {runner_id!r}.")
    owner = (await tx.get_one(ConnectorRow, row.connector)).owner_id
    await require_steward(tx, authority, Stewards(owner_id=owner, what=f"the runners of {row.connector!r}"))
    row.revoked_at = await now(tx)
    await authority.record(tx, EventKind.RUNNER_REVOKED, row.connector, runner=row.id)


async def runners_of(tx: Tx, connector: str) -> list[Runner]:
    """Return the runners of a connector, revoked ones too, in the order of their names."""
    rows = await tx.scalars(select(RunnerRow).where(RunnerRow.connector == connector).order_by(RunnerRow.name))
    return [_runner(row) for row in rows]


async def every_runner(tx: Tx) -> list[Runner]:
    """Return the runners of all connectors, revoked ones too, in the order of their connectors and names."""
    rows = await tx.scalars(select(RunnerRow).order_by(RunnerRow.connector, RunnerRow.name))
    return [_runner(row) for row in rows]


async def connectors_owned_by(tx: Tx, owner_id: str) -> frozenset[str]:
    """Return the connectors whose runners this person may revoke for owning them."""
    return frozenset(await tx.scalars(select(ConnectorRow.name).where(ConnectorRow.owner_id == owner_id)))


def public_key_in(text: str) -> str:
    """Return the public key that `text` holds, in PEM or already in base64, as a runner is registered with it.

    Raises:
        InputError: it holds none; or a private one, which stays at the runner.
    """
    if "PRIVATE KEY" in text:
        raise InputError(
            "This is a private key, which stays at the runner; `openssl pkey -in FILE -pubout` tells the public one."
        )
    is_pem = "-----BEGIN" in text
    try:
        key = load_pem_public_key(text.strip().encode()) if is_pem else _key(text.strip())
    except (ValueError, UnsupportedAlgorithm, InputError):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError("This is no Ed25519 public key; `openssl pkey -in runner.pem -pubout` tells a runner's.")
    return base64.b64encode(key.public_bytes_raw()).decode("ascii")


async def signer(tx: Tx, connector: str, name: str, signed: bytes, signature: str) -> Runner:
    """Return the runner `name` of `connector`, whose `signature` stands under `signed`.

    Raises:
        Forbidden: there is no such runner, it was revoked, or it has signed something else.
    """
    named = select(RunnerRow).where(RunnerRow.connector == connector, RunnerRow.name == name)
    row = await tx.scalar(named)
    if row is None or row.revoked_at is not None:
        raise Forbidden(f"No runner {name!r} is registered for {connector}; an administrator registers its key.")
    try:
        _key(row.public_key).verify(base64.b64decode(signature, validate=True), signed)
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise Forbidden(f"This is not what the runner {name!r} has signed.") from error
    return _runner(row)


def _key(text: str) -> Ed25519PublicKey:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise InputError("A runner's key is an Ed25519 public key: 32 bytes in base64.")
    return Ed25519PublicKey.from_public_bytes(key)


def _runner(row: RunnerRow) -> Runner:
    return Runner(
        id=row.id,
        connector=row.connector,
        name=row.name,
        public_key=row.public_key,
        agent_id=row.agent_id,
        registered_at=row.registered_at,
        revoked_at=row.revoked_at,
    )
