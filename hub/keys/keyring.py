"""The keyring: encryption with data keys under the master key, sealed tokens, and signing keys with rotation."""

import asyncio
import base64
import binascii
import hmac
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, cast

from sqlalchemy import select, update

from hub.core.canonical import canonical_json, parse_json
from hub.core.errors import Malformed, Unavailable
from hub.core.ids import is_id, new_id
from hub.keys.cipher import KEY_BYTES, XAES, NotAuthentic
from hub.keys.signing import SigningKey, SigningPurpose, new_signing_key, read_signing_key
from hub.keys.tables import KeyRow
from hub.storage import Database, Tx, now

Json = Any
"""Any JSON value."""

KeyPurpose = Literal["data", "tokens", "checkpoints", "digests"]
RotatableKey = Literal["data", "tokens", "checkpoints"]
"""What may be rotated. The key of digests may not: the retry of a call would no longer be known as one."""

KEYS_CHANGED: Final = "keys"
"""Signalled when a key has been added or retired."""

TOKEN_KEY_GRACE: Final = timedelta(days=2)
"""How long after its retirement a token key is still published: far longer than any access token lives."""

_PURPOSES: Final[tuple[KeyPurpose, ...]] = ("data", "tokens", "checkpoints", "digests")
_SYMMETRIC: Final = frozenset({"data", "digests"})
_VERSION: Final = b"\x01"
_RELOAD_SECONDS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    """What one reading of the table gave; replaced as a whole, so that nobody sees half of a rotation."""

    current: Mapping[str, str]
    data: Mapping[str, XAES]
    digests: bytes
    signing: Mapping[SigningPurpose, Mapping[str, SigningKey]]
    retired_at: Mapping[str, datetime]


class Keyring:
    """All keys of one hub, opened with its master key; encrypts, seals and signs without touching the database."""

    def __init__(self, database: Database, master_key: bytes, *, clock: Callable[[], float] = time.time) -> None:
        """Use `open`. `clock` tells the seconds since 1970 for sealed tokens, which no transaction accompanies."""
        self._database = database
        self._master = XAES(master_key)
        self._clock = clock
        self._keys = _Keys(current={}, data={}, digests=b"", signing={"tokens": {}, "checkpoints": {}}, retired_at={})

    @classmethod
    async def open(cls, database: Database, master_key: bytes, *, clock: Callable[[], float] = time.time) -> "Keyring":
        """Return the keyring, after making whichever keys do not exist yet.

        Raises:
            Unavailable: the keys on record were made under another master key.
        """
        ring = cls(database, master_key, clock=clock)
        async with database.transaction() as tx:
            await database.lock(tx, "keys")
            made = set(await tx.scalars(select(KeyRow.purpose).where(KeyRow.retired_at.is_(None))))
            for purpose in _PURPOSES:
                if purpose not in made:
                    await ring._add(tx, purpose)
        await ring.reload()
        return ring

    @staticmethod
    async def has_any(database: Database) -> bool:
        """Return whether `database` has keys on record: then only the master key they were made under will do."""
        async with database.reading() as tx:
            return await tx.scalar(select(KeyRow.id).limit(1)) is not None

    async def reload(self) -> None:
        """Read the keys again, after this or another process has changed them.

        Raises:
            Unavailable: the keys on record were made under another master key.
        """
        async with self._database.reading() as tx:
            rows = (await tx.scalars(select(KeyRow).order_by(KeyRow.created_at, KeyRow.id))).all()
        secrets = {row.id: self._opened(row) for row in rows}
        signing: dict[SigningPurpose, dict[str, SigningKey]] = {"tokens": {}, "checkpoints": {}}
        for row in rows:
            if row.purpose not in _SYMMETRIC:
                purpose = cast("SigningPurpose", row.purpose)
                signing[purpose][row.id] = read_signing_key(row.id, secrets[row.id])
        self._keys = _Keys(
            current={row.purpose: row.id for row in rows if row.retired_at is None},
            data={row.id: XAES(secrets[row.id]) for row in rows if row.purpose == "data"},
            digests=next((secrets[row.id] for row in rows if row.purpose == "digests"), b""),
            signing=signing,
            retired_at={row.id: row.retired_at for row in rows if row.retired_at is not None},
        )

    async def keep_fresh(self) -> None:
        """Reload whenever keys change, here or in another process, and every minute; runs until cancelled."""
        async with self._database.listening(KEYS_CHANGED) as changed:
            while True:
                changed.clear()
                await self.reload()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_RELOAD_SECONDS):
                        await changed.wait()

    async def rotate(self, tx: Tx, purpose: RotatableKey) -> str:
        """Replace the current key of `purpose`; return the new key's id.

        What the old one encrypted or signed still opens and verifies (a token key's for `TOKEN_KEY_GRACE`). The ring
        itself follows with `reload()` once `tx` has committed.
        """
        await self._database.lock(tx, "keys")
        where = (KeyRow.purpose == purpose, KeyRow.retired_at.is_(None))
        await tx.execute(update(KeyRow).where(*where).values(retired_at=await now(tx)))
        await self._database.signal(tx, KEYS_CHANGED)
        return await self._add(tx, purpose)

    def encrypt(self, plaintext: bytes, *, context: str) -> bytes:
        """Return `plaintext` encrypted and bound to `context` (table, row and column): elsewhere it does not open."""
        keys = self._keys  # as they are now: they may be read anew while another thread is here
        key_id = keys.current["data"]
        header = _VERSION + bytes([len(key_id)]) + key_id.encode("ascii")
        return header + keys.data[key_id].encrypt(plaintext, header + context.encode())

    def decrypt(self, sealed: bytes, *, context: str) -> bytes:
        """Return what was encrypted for `context`.

        Raises:
            Malformed: it was not made by this hub, or not for this context, or has been changed.
            Unavailable: this process does not have the key (yet): it may have been made a moment ago.
        """
        if sealed[:1] != _VERSION or len(sealed) < 2:  # noqa: PLR2004  # the version and a length
            raise Malformed("This was not encrypted by this hub.")
        end = 2 + sealed[1]
        header, body = sealed[:end], sealed[end:]
        key_id = header[2:].decode("ascii", errors="replace")
        if not is_id(key_id, "key"):
            raise Malformed("This was not encrypted by this hub.")
        key = self._keys.data.get(key_id)
        if key is None:
            raise Unavailable(
                "This was encrypted with a key that this process does not have yet; try again in a minute."
            )
        try:
            return key.decrypt(body, header + context.encode())
        except NotAuthentic as error:
            raise Malformed("This was not encrypted by this hub for this use, or it has been changed.") from error

    def authenticate(self, message: bytes, *, context: str) -> str:
        """Return the hex HMAC-SHA-256 of `message` for `context`: the same for ever, and guessable by nobody else."""
        own = hmac.digest(self._keys.digests, context.encode(), "sha256")
        return hmac.digest(own, message, "sha256").hex()

    def seal(self, value: Json, *, purpose: str, seconds: int) -> str:
        """Return an opaque URL-safe token for `value` that only this hub can make or read, good for `seconds`.

        Any replica opens it, before and after a restart. Whoever must be its only user belongs into `value`.
        """
        body = canonical_json({"value": value, "until": int(self._clock()) + seconds})
        return base64.urlsafe_b64encode(self.encrypt(body, context=f"token:{purpose}")).rstrip(b"=").decode("ascii")

    def unseal(self, token: str, *, purpose: str) -> Json:
        """Return the value that `seal` was given for `purpose`.

        Raises:
            Malformed: forged, changed, made for another purpose, or too old.
        """
        try:
            sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise Malformed("This token is not one of ours.") from error
        try:
            body = parse_json(self.decrypt(sealed, context=f"token:{purpose}"))
        except Unavailable as error:  # anybody may write the name of a key into a token
            raise Malformed("This token is not one of ours, or too new; start again.") from error
        if body["until"] <= self._clock():
            raise Malformed("This token is too old; start again.")
        return body["value"]

    def signing_key(self, purpose: SigningPurpose) -> SigningKey:
        """Return the current signing key."""
        return self._keys.signing[purpose][self._keys.current[purpose]]

    def public_keys(self, purpose: SigningPurpose) -> list[Mapping[str, Json]]:
        """Return the public keys of `purpose` as JWKs with `kid`, oldest first, the current one last.

        Checkpoint keys are never left out; a retired token key is, once no token it signed can be valid.
        """
        oldest = datetime.fromtimestamp(self._clock(), UTC) - TOKEN_KEY_GRACE
        retired = self._keys.retired_at
        return [
            key.public_jwk
            for key in self._keys.signing[purpose].values()
            if purpose == "checkpoints" or key.id not in retired or retired[key.id] > oldest
        ]

    async def _add(self, tx: Tx, purpose: KeyPurpose) -> str:
        key_id = new_id("key")
        match purpose:
            case "data" | "digests":
                secret, public = os.urandom(KEY_BYTES), None
            case "tokens" | "checkpoints":
                secret = new_signing_key(purpose)
                public = dict(read_signing_key(key_id, secret).public_jwk)
        sealed = self._master.encrypt(secret, f"{purpose}:{key_id}".encode())
        tx.add(KeyRow(id=key_id, purpose=purpose, sealed=sealed, public=public, created_at=await now(tx)))
        await tx.flush()
        return key_id

    def _opened(self, row: KeyRow) -> bytes:
        try:
            return self._master.decrypt(row.sealed, f"{row.purpose}:{row.id}".encode())
        except NotAuthentic as error:
            raise Unavailable(
                "The keys in this database were made under another master key. Give the one it was set up with."
            ) from error
