"""The keyring: encryption with data keys under the master key, sealed tokens, and signing keys with rotation."""

import base64
import binascii
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from joserfc.jwk import ECKey, OKPKey
from sqlalchemy import select, text, update

from hub.core.canonical import canonical_json, parse_json
from hub.core.errors import Malformed, Unavailable
from hub.core.ids import new_id
from hub.keys.tables import KeyRow
from hub.storage import Database, Tx, now

Json = Any
"""Any JSON value."""

SigningPurpose = Literal["tokens", "checkpoints"]
_DATA: Final = "data"
_NONCE_BYTES: Final = 12
_VERSION: Final = b"\x01"
_MAKE_KEYS_LOCK: Final = 7_301_001
KEYS_CHANGED: Final = "keys"
"""Signalled when a key has been added or retired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key that signs: ES256 for tokens (RFC 7518), Ed25519 for checkpoints (RFC 8032)."""

    id: str
    private: EllipticCurvePrivateKey | Ed25519PrivateKey
    public_jwk: Mapping[str, Json]

    def __repr__(self) -> str:
        return f"SigningKey(id={self.id!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    id: str
    purpose: str
    secret: bytes
    public: Mapping[str, Json] | None
    retired_at: datetime | None

    def __repr__(self) -> str:
        return f"_Key(id={self.id!r}, purpose={self.purpose!r})"


class Keyring:
    """All keys of one hub, opened with its master key; encrypts, seals and signs without touching the database."""

    def __init__(self, database: Database, master_key: bytes) -> None:
        self._database = database
        self._master = AESGCM(master_key)
        self._keys: dict[str, _Key] = {}
        self._current: dict[str, _Key] = {}

    @classmethod
    async def open(cls, database: Database, master_key: bytes) -> "Keyring":
        """Return the keyring, after making whichever keys do not exist yet.

        Raises:
            Unavailable: the keys on record were made under another master key.
        """
        ring = cls(database, master_key)
        async with database.transaction() as tx:
            if not database.is_sqlite:
                await tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MAKE_KEYS_LOCK})
            made = set(await tx.scalars(select(KeyRow.purpose).where(KeyRow.retired_at.is_(None))))
            for purpose in (_DATA, "tokens", "checkpoints"):
                if purpose not in made:
                    await ring._add(tx, purpose)
        await ring.reload()
        return ring

    async def reload(self) -> None:
        """Read the keys again, after another process has changed them."""
        async with self._database.reading() as tx:
            rows = (await tx.scalars(select(KeyRow).order_by(KeyRow.created_at, KeyRow.id))).all()
        self._keys = {row.id: self._opened(row) for row in rows}
        self._current = {key.purpose: key for key in self._keys.values() if key.retired_at is None}

    async def rotate(self, tx: Tx, purpose: SigningPurpose) -> str:
        """Replace the current signing key; what the old one signed still verifies. Return the new key's id.

        The ring itself follows with `reload()` once `tx` has committed.
        """
        where = (KeyRow.purpose == purpose, KeyRow.retired_at.is_(None))
        await tx.execute(update(KeyRow).where(*where).values(retired_at=await now(tx)))
        await self._database.signal(tx, KEYS_CHANGED)
        return await self._add(tx, purpose)

    def encrypt(self, plaintext: bytes, *, context: str) -> bytes:
        """Return `plaintext` under AES-256-GCM, bound to `context`: elsewhere it does not open."""
        key = self._current[_DATA]
        nonce = os.urandom(_NONCE_BYTES)
        name = key.id.encode("ascii")
        sealed = AESGCM(key.secret).encrypt(nonce, plaintext, context.encode())
        return _VERSION + bytes([len(name)]) + name + nonce + sealed

    def decrypt(self, sealed: bytes, *, context: str) -> bytes:
        """Return what was encrypted for `context`.

        Raises:
            Malformed: it was not made by this hub, or not for this context, or has been changed.
        """
        try:
            if sealed[:1] != _VERSION:
                raise Malformed("This was not encrypted by this hub.")
            end = 2 + sealed[1]
            key = self._keys[sealed[2:end].decode("ascii")]
            nonce, body = sealed[end : end + _NONCE_BYTES], sealed[end + _NONCE_BYTES :]
            return AESGCM(key.secret).decrypt(nonce, body, context.encode())
        except (InvalidTag, KeyError, IndexError, ValueError) as error:
            raise Malformed("This was not encrypted by this hub for this use, or it has been changed.") from error

    def seal(self, value: Json, *, purpose: str, seconds: int) -> str:
        """Return an opaque token for `value` that only this hub can make or read, good for `seconds`.

        Any replica opens it, before and after a restart.
        """
        body = canonical_json({"value": value, "until": int(time.time()) + seconds})
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
        body = parse_json(self.decrypt(sealed, context=f"token:{purpose}"))
        if body["until"] <= time.time():
            raise Malformed("This token is too old; start again.")
        return body["value"]

    def signing_key(self, purpose: SigningPurpose) -> SigningKey:
        """Return the current signing key."""
        key = self._current[purpose]
        private = load_der_private_key(key.secret, None)
        if not isinstance(private, EllipticCurvePrivateKey | Ed25519PrivateKey) or key.public is None:
            raise Unavailable(f"The signing key {key.id} is damaged; restore it from a backup or rotate it.")
        return SigningKey(id=key.id, private=private, public_jwk=key.public)

    def public_keys(self, purpose: SigningPurpose) -> list[Mapping[str, Json]]:
        """Return every public key of `purpose` as a JWK with its `kid`, the current one last."""
        return [key.public for key in self._keys.values() if key.purpose == purpose and key.public is not None]

    async def _add(self, tx: Tx, purpose: str) -> str:
        key_id = new_id("key")
        secret, public = _new_secret(purpose, key_id)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._master.encrypt(nonce, secret, f"{purpose}:{key_id}".encode())
        tx.add(KeyRow(id=key_id, purpose=purpose, sealed=sealed, public=public, created_at=await now(tx)))
        await tx.flush()
        return key_id

    def _opened(self, row: KeyRow) -> _Key:
        nonce, body = row.sealed[:_NONCE_BYTES], row.sealed[_NONCE_BYTES:]
        try:
            secret = self._master.decrypt(nonce, body, f"{row.purpose}:{row.id}".encode())
        except InvalidTag as error:
            raise Unavailable(
                "The keys in this database were made under another master key. Give the one it was set up with."
            ) from error
        return _Key(id=row.id, purpose=row.purpose, secret=secret, public=row.public, retired_at=row.retired_at)


def _new_secret(purpose: str, key_id: str) -> tuple[bytes, dict[str, Json] | None]:
    if purpose == _DATA:
        return AESGCM.generate_key(256), None
    if purpose == "tokens":
        elliptic = generate_private_key(SECP256R1())
        public = ECKey.import_key(elliptic.public_key()).as_dict(private=False, kid=key_id, use="sig", alg="ES256")
        return elliptic.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), dict(public)
    edwards = Ed25519PrivateKey.generate()
    jwk = OKPKey.import_key(edwards.public_key()).as_dict(private=False, kid=key_id, use="sig", alg="EdDSA")
    return edwards.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), dict(jwk)
