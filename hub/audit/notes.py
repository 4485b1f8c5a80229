"""Signed checkpoints: the C2SP tlog-checkpoint text in a C2SP signed note with Ed25519.

The name of every key is the log's origin, as C2SP wants it; a key's id is what tells it from the log's other keys.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hub.audit.merkle import HASH_BYTES
from hub.core.errors import Malformed, Unavailable
from hub.keys import SigningKey

_ED25519: Final = b"\x01"
_ID_BYTES: Final = 4
_DASH: Final = "\u2014 "
_LONGEST: Final = 16_384
_ORIGIN: Final = b"toolhub log origin\n"
_ORIGIN_DIGITS: Final = 40
_SIZE_DIGITS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The log of `origin` has `size` events, and this is the head of their tree; `note` is the signed text."""

    origin: str
    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteKey:
    """A public key that signs notes; `str` is its C2SP verifier key, to be handed to auditors beforehand."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The 4 bytes that stand before each of its signatures."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"


def parse_key(text: str) -> NoteKey:
    """Return the key that the verifier key `text` stands for.

    Raises:
        Malformed: not an Ed25519 verifier key, written exactly as the format says.
    """
    name, _, rest = text.partition("+")
    blob = decode_base64(rest.partition("+")[2])
    key = NoteKey(name=name, public=blob[1:])
    if len(key.public) != HASH_BYTES or str(key) != text:
        raise Malformed("This is not a verifier key: name+id+key.")
    return key


def sign_checkpoint(origin: str, size: int, root: bytes, key: SigningKey) -> Checkpoint:
    """Return a checkpoint signed with `key`."""
    if not isinstance(key.private, Ed25519PrivateKey):
        raise Unavailable("Checkpoints are signed with Ed25519; the signing key is of another kind.")
    text = _text(origin, size, root)
    note_key = NoteKey(name=origin, public=public_bytes(key.public_jwk))
    signature = base64.b64encode(note_key.id + key.private.sign(text.encode())).decode()
    return Checkpoint(origin=origin, size=size, root=root, note=f"{text}\n{_DASH}{origin} {signature}\n")


def read_checkpoint(note: str, keys: Iterable[NoteKey]) -> Checkpoint:
    """Return what `note` says, once a signature by one of `keys` has been checked; others may have signed it too.

    Raises:
        Malformed: not a checkpoint as the format says, or none of `keys` signed it.
    """
    text, gap, signatures = note.partition("\n\n")
    lines = text.split("\n")
    if len(note) > _LONGEST or not gap or len(lines) != 3:  # noqa: PLR2004  # origin, size and head
        raise Malformed("This is not a checkpoint.")
    origin, digits, head = lines
    root = decode_base64(head)
    is_number = digits.isascii() and digits.isdecimal() and len(digits) <= _SIZE_DIGITS
    if not is_number or len(root) != HASH_BYTES or _text(origin, int(digits), root) != f"{text}\n":
        raise Malformed("This is not a checkpoint.")
    known = {(key.name, key.id): key for key in keys}
    if not _is_signed(text + "\n", signatures, known):
        raise Malformed("No known key has signed this checkpoint.")
    return Checkpoint(origin=origin, size=int(digits), root=root, note=note)


def origin_from(public: bytes) -> str:
    """Return the name of the log whose first checkpoint key has these bytes: no other key can claim to be that one."""
    return f"toolhub/{hashlib.sha256(_ORIGIN + public).hexdigest()[:_ORIGIN_DIGITS]}"


def has_signed(key: NoteKey, note: str) -> bool:
    """Return whether `note` is a checkpoint that `key` has signed."""
    try:
        read_checkpoint(note, [key])
    except Malformed:
        return False
    return True


def public_bytes(jwk: Mapping[str, Any]) -> bytes:
    """Return the 32 bytes of an Ed25519 public key in a JWK (RFC 8037)."""
    encoded = str(jwk["x"])
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


def _text(origin: str, size: int, root: bytes) -> str:
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def _is_signed(text: str, signatures: str, known: Mapping[tuple[str, bytes], NoteKey]) -> bool:
    if not signatures.endswith("\n"):
        raise Malformed("This checkpoint breaks off.")
    is_signed = False
    for line in signatures[:-1].split("\n"):
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        blob = decode_base64(encoded)
        if not line.startswith(_DASH) or len(blob) <= _ID_BYTES:
            raise Malformed("A line of this checkpoint is not a signature.")
        key = known.get((name, blob[:_ID_BYTES]))
        if key is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(blob[_ID_BYTES:], text.encode())
        except InvalidSignature as error:
            raise Malformed("The signature of this checkpoint is wrong.") from error
        is_signed = True
    return is_signed


def decode_base64(encoded: str) -> bytes:
    """Return the bytes of a base64 text that is written in the one canonical way."""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed("This is not base64.") from error
    if base64.b64encode(raw).decode() != encoded:
        raise Malformed("This is not canonical base64.")
    return raw
