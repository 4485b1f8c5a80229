"""Asking for the promotion of a composite tool: the very same steps, over the connections of the other environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.core.errors import Conflict, InputError
from hub.identity.authority import Authority
from hub.promotions.keeping import Wish, ask
from hub.promotions.values import BEFORE, Promotion, Rules
from hub.registry import Environment
from hub.registry.carrying import Carrying, Missing, carried, register_carried
from hub.registry.declaring import connect_composites
from hub.registry.stewardship import Stewards, require_steward
from hub.storage import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeWish:
    """That the composite tool `name` be used in `environment` as it is in the one before; see `Carrying`."""

    name: str
    environment: Environment
    reason: str
    connections: Mapping[str, str] = field(default_factory=dict[str, str])


async def ask_composite(tx: Tx, wish: CompositeWish, rules: Rules, authority: Authority) -> Promotion:
    """Put the wish on record with how its gates stand, and return it.

    Raises:
        Conflict: a step's tool version or connection is missing there, and the message names each; or it is in use.
        Forbidden: it is no administrator.
        InputError: dev uses what is declared, or there is no reason.
        NotFound: the environment before offers no such composite tool.
    """
    await require_steward(tx, authority, Stewards(owner_id=None, what="which composite tools are used where"))
    before, where = BEFORE.get(wish.environment), wish.environment.value
    if before is None:
        raise InputError("dev uses composite tools as they are declared; promote to staging or prod.")
    wanted = Carrying(name=wish.name, source=before, to=wish.environment, connections=wish.connections)
    found = await carried(tx, wanted)
    if isinstance(found, Missing):
        raise Conflict(f"The composite tool {wish.name!r} cannot be promoted to {where} yet. {' '.join(found.reasons)}")
    release = await register_carried(tx, found, authority)
    await connect_composites(tx, wish.environment, Authority(database=authority.database, keys=authority.keys))
    asked = Wish(connector=release.connector, environment=wish.environment, reason=wish.reason, release_id=release.id)
    return await ask(tx, asked, rules, authority)
