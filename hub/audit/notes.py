"""Signed checkpoints: the C2SP tlog-checkpoint text in a C2SP signed note with Ed25519."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hub.core.errors import Malformed, Unavailable
from hub.keys import SigningKey

_ED25519: Final = b"\x01"
_KEY_HASH_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The log of `origin` has `size` events, and this is the head of their tree; `note` is the signed text."""

    origin: str
    size: int
    root: bytes
    note: str


def sign_checkpoint(origin: str, size: int, root: bytes, key: SigningKey) -> Checkpoint:
    """Return a checkpoint signed with `key`."""
    if not isinstance(key.private, Ed25519PrivateKey):
        raise Unavailable("Checkpoints are signed with Ed25519; the signing key is of another kind.")
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    signature = key.private.sign(text.encode())
    blob = base64.b64encode(_key_hash(key.id, public_bytes(key.public_jwk)) + signature).decode()
    return Checkpoint(origin=origin, size=size, root=root, note=f"{text}\n\u2014 {key.id} {blob}\n")


def read_checkpoint(note: str, keys: Mapping[str, bytes]) -> Checkpoint:
    """Return what `note` says, once its signature by one of `keys` (name -> 32 bytes) has been checked.

    Raises:
        Malformed: not a signed checkpoint, or no known key signed it.
    """
    text, _, signatures = note.partition("\n\n")
    lines = text.split("\n")
    try:
        origin, size, root = lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True)
    except (IndexError, ValueError, binascii.Error) as error:
        raise Malformed("This is not a checkpoint.") from error
    expected = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    if f"{text}\n" != expected or not any(_signed(expected, line, keys) for line in signatures.splitlines()):
        raise Malformed("No known key has signed this checkpoint.")
    return Checkpoint(origin=origin, size=size, root=root, note=note)


def public_bytes(jwk: Mapping[str, Any]) -> bytes:
    """Return the 32 bytes of an Ed25519 public key in a JWK (RFC 8037)."""
    encoded = str(jwk["x"])
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


def _signed(text: str, line: str, keys: Mapping[str, bytes]) -> bool:
    dash, _, rest = line.partition(" ")
    name, _, blob = rest.partition(" ")
    public = keys.get(name)
    if dash != "\u2014" or public is None:
        return False
    try:
        raw = base64.b64decode(blob, validate=True)
        if base64.b64encode(raw).decode() != blob or raw[:_KEY_HASH_BYTES] != _key_hash(name, public):
            return False
        Ed25519PublicKey.from_public_bytes(public).verify(raw[_KEY_HASH_BYTES:], text.encode())
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True


def _key_hash(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:_KEY_HASH_BYTES]
