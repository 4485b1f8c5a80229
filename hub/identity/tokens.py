"""Verifying access tokens on every request: fast when nothing has changed, right at once when something has."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from hub.core.errors import Unauthenticated
from hub.identity.access_tokens import AccessToken, UnknownKey, read_access_token, refused
from hub.identity.authority import IDENTITY_CHANNEL, generation_of
from hub.identity.declarations import as_of
from hub.identity.directory import find, get_many
from hub.identity.foreign_people import person_of
from hub.identity.foreign_tokens import EXACT_TO, ForeignIssuers, ForeignToken, read_foreign_token
from hub.identity.issuer_keys import IssuerLink
from hub.identity.possession import Asked, Place, read_proof, use_proof
from hub.identity.principals import Caller, Principal
from hub.identity.resources import may_use, server_of
from hub.identity.secrets import hash_secret
from hub.identity.tables import GrantRow
from hub.keys import Keyring
from hub.storage import Database, Tx, now

RECHECK_SECONDS: Final = 1.0
"""The longest that another process's change can go unnoticed, should its signal get lost."""
MAX_CACHED: Final = 10_000
FOREIGN_BELIEVED: Final = timedelta(minutes=5)
"""How long the signature of an external issuer's token is taken for good without looking at its keys again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cached:
    caller: Caller
    valid_from: datetime
    expires_at: datetime
    look_again_at: datetime
    generation: int
    key_thumbprint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What the database said: the generation and its time, and when by our own steady clock it said so."""

    generation: int
    database_time: datetime
    taken_at: float

    def time(self) -> datetime:
        """Return the database's time now; the host's clock is never asked."""
        return self.database_time + timedelta(seconds=time.monotonic() - self.taken_at)


class TokenVerifier:
    """Turns bearer tokens into callers.

    A caller is remembered by the hash of its token, together with the *generation* it was read under. Everything that
    could make a remembered caller wrong (a suspension, a revoked grant, other groups, narrower limits) raises the
    generation in its own transaction and signals it. The generation is read again when the signal comes, and at least
    every `RECHECK_SECONDS`; while nobody `listens`, before every answer.
    """

    def __init__(
        self, database: Database, keys: Keyring, public_url: str, issuers: ForeignIssuers | None = None
    ) -> None:
        """Verify tokens that this hub, known as `public_url`, has issued, or one of the external issuers."""
        self._issuers = issuers or ForeignIssuers()
        self._database = database
        self._keys = keys
        self._public_url = public_url
        self._cache: OrderedDict[str, _Cached] = OrderedDict()
        self._reading: _Reading | None = None
        self._changed: asyncio.Event | None = None
        self._one_reader = asyncio.Lock()
        self._reloaded_at: float | None = None

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """Hear of changes while the block runs, so that most requests need no query; the application opens it once."""
        async with self._database.listening(IDENTITY_CHANNEL) as changed:
            self._changed = changed
            try:
                yield
            finally:
                self._changed = None

    async def verify(self, token: str, *, resource: str) -> Caller:
        """Return who bears `token` at `resource`, one of this hub's MCP URLs.

        Raises:
            Unauthenticated: forged, expired, for another resource, revoked, of somebody who is suspended, or one that
                counts only with a proof that its key is held (RFC 9449 section 7.2).
            Unavailable: the database does not answer; nobody is let in unseen.
        """
        known, _ = await self._known(token, resource)
        if known.key_thumbprint is not None:
            raise Unauthenticated("This access token is bound to a key: send it by the scheme DPoP, with a proof.")
        return known.caller

    async def verify_held(self, token: str, asked: Asked, *, resource: str) -> Caller:
        """Return who holds the key that `token` is bound to, as the proof says that came with this request.

        Raises:
            NonceNeeded: the proof has to be made anew, with a nonce of ours.
            Unauthenticated: as `verify` does; the proof will not do, was used before, or is another key's.
            Unavailable: the database does not answer.
        """
        known, _ = await self._known(token, resource)
        if known.key_thumbprint is None:
            raise Unauthenticated("This access token is bound to no key: send it by the scheme Bearer.")
        at = (await self._fresh_reading()).time()
        proof = read_proof(self._keys, replace(asked, token=token), at, Place.RESOURCE)
        if proof.thumbprint != known.key_thumbprint:
            raise refused()
        async with self._database.transaction() as tx:
            await use_proof(tx, proof)
        return known.caller

    async def standing(self, token: str, *, resource: str) -> tuple[Caller, timedelta]:
        """Return who calls with `token`, and for how long it is good, unless something happens meanwhile.

        It is for requests that were let in before, and go on: that its key is held was proved when they came.

        Raises:
            Unauthenticated: as `verify` does.
            Unavailable: the database does not answer.
        """
        known, left = await self._known(token, resource)
        return known.caller, left

    async def _known(self, token: str, resource: str) -> tuple[_Cached, timedelta]:
        reading = await self._fresh_reading()
        at = reading.time()  # before looking: what is taken back while we look is taken back from this request
        key = f"{hash_secret(token)} {resource}"
        known = self._cache.get(key)
        if known is None or known.generation != reading.generation or known.look_again_at <= reading.time():
            known = await self._look_up(token, resource)
            self._remember(key, known)
        if not known.valid_from <= reading.time() < known.expires_at:
            raise refused()
        return replace(known, caller=replace(known.caller, verified_at=at)), known.expires_at - reading.time()

    async def _fresh_reading(self) -> _Reading:
        reading = self._reading
        if reading is not None and not self._is_stale(reading):
            return reading
        async with self._one_reader:
            reading = self._reading
            if reading is not None and not self._is_stale(reading):
                return reading
            if self._changed is not None:
                self._changed.clear()  # before looking: what changes while we look sets it again
            async with self._database.reading() as tx:
                self._reading = await _read(tx)
            return self._reading

    def _is_stale(self, reading: _Reading) -> bool:
        if self._changed is None or self._changed.is_set():
            return True
        return time.monotonic() - reading.taken_at > RECHECK_SECONDS

    async def _look_up(self, token: str, resource: str) -> _Cached:
        link = self._issuers.of_token(token)
        if link is not None:
            return await self._look_up_foreign(link, token, resource)
        said = await self._read_token(token)
        if said.issuer != self._public_url.rstrip("/") or said.resource != resource:
            raise refused()
        async with self._database.reading() as tx:
            generation = await generation_of(tx)  # first: a change while we read makes what we read outdated at once
            caller = await caller_of(tx, said, server_of(resource, self._public_url))
        valid_from = said.not_before or said.issued_at
        return _Cached(
            caller=caller,
            valid_from=valid_from,
            expires_at=said.expires_at,
            look_again_at=said.expires_at,
            generation=generation,
            key_thumbprint=said.key_thumbprint,
        )

    async def _look_up_foreign(self, link: IssuerLink, token: str, resource: str) -> _Cached:
        said = await read_foreign_token(link, token, resource)
        async with self._database.reading() as tx:
            generation = await generation_of(tx)
            caller = await foreign_caller(tx, said, resource, server_of(resource, self._public_url))
            at = await now(tx)
        # What an issuer takes back it does not tell: its keys are asked for again, and with them whose they are.
        return _Cached(
            caller=caller,
            valid_from=said.valid_from,
            expires_at=said.expires_at,
            look_again_at=min(at + FOREIGN_BELIEVED, said.expires_at),
            generation=generation,
            key_thumbprint=said.key_thumbprint,
        )

    async def _read_token(self, token: str) -> AccessToken:
        try:
            return read_access_token(token, self._keys)
        except UnknownKey:
            # Another process may have rotated the keys. Whoever invents key ids makes us look once a second, no more.
            if self._reloaded_at is not None and time.monotonic() - self._reloaded_at < RECHECK_SECONDS:
                raise
            self._reloaded_at = time.monotonic()
            await self._keys.reload()
            return read_access_token(token, self._keys)

    def _remember(self, key: str, known: _Cached) -> None:
        self._cache[key] = known
        self._cache.move_to_end(key)
        while len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)


async def _read(tx: Tx) -> _Reading:
    before = time.monotonic()
    return _Reading(generation=await generation_of(tx), database_time=await now(tx), taken_at=before)


async def caller_of(tx: Tx, said: AccessToken, server: str | None) -> Caller:
    """Return who an access token stands for at a server, as the database has its grant and its principals now.

    Whoever handed on the token that this one was exchanged for bounds it as much as its client does.

    Raises:
        Unauthenticated: revoked, of somebody suspended, at a server that its client may not use, or one before it, or
            bound to no key though its client needs that.
    """
    grant = await tx.scalar(select(GrantRow).where(GrantRow.id == said.grant_id, GrantRow.revoked_at.is_(None)))
    if grant is None or (grant.client_id, grant.user_id) != (said.client_id, said.user_id):
        raise refused()
    principals = await get_many(tx, [said.client_id, *grant.actors, *([said.user_id] if said.user_id else [])])
    actor = await as_of(tx, _in_good_standing(principals.get(said.client_id)), said.agent_version)
    user = _in_good_standing(principals.get(said.user_id)) if said.user_id else None
    chain = [actor, *(_in_good_standing(principals.get(one)) for one in grant.actors)]
    if server is None or not all(may_use(one.usable_servers, server) for one in chain):
        raise refused()
    if actor.needs_bound_tokens and said.key_thumbprint is None:
        raise refused()
    return Caller(
        actor=actor,
        on_behalf_of=user,
        scopes=said.scopes.intersection(grant.scopes, *(one.allowed_scopes for one in chain)),
        client_id=said.client_id,
        token_id=said.id,
        resource=said.resource,
        authenticated_at=said.authenticated_at,
        leave_from=grant.created_at,
        passed_on_by=tuple(grant.actors),
        issuer=grant.issuer,
    )


async def foreign_caller(tx: Tx, said: ForeignToken, resource: str, server: str | None) -> Caller:
    """Return who a token of an external issuer stands for: an agent that the operator named, and whom it acts for.

    Raises:
        Unauthenticated: no such agent or person here, suspended, at a server that the agent may not use, or bound to no
            key though the agent needs that.
    """
    name = said.rules.agents.get(said.client)
    actor = _in_good_standing(await find(tx, name) if name else None)
    if server is None or not may_use(actor.usable_servers, server):
        raise refused()
    if actor.needs_bound_tokens and said.key_thumbprint is None:
        raise refused()
    user = None
    if said.subject is not None:
        user = _in_good_standing(await person_of(tx, said.issuer.issuer, said.subject))
    return Caller(
        actor=actor,
        on_behalf_of=user,
        scopes=said.scopes & actor.allowed_scopes,
        client_id=actor.id,
        token_id=said.id,
        resource=resource,
        authenticated_at=said.authenticated_at,
        leave_from=said.issued_at + EXACT_TO,
        issuer=said.issuer.issuer,
    )


def _in_good_standing(principal: Principal | None) -> Principal:
    if principal is None or principal.is_suspended:
        raise refused()
    return principal
