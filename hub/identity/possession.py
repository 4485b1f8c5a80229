"""Proof of possession (DPoP, RFC 9449): that whoever sends a token holds the very key that the token is bound to.

| | rule |
| --- | --- |
| which | one proof, a JWT `dpop+jwt` with the public key in its header, signed by that key; no shared secrets |
| for what | this method, at this very address, with this very access token where there is one (`ath`) |
| when | made within `OLDEST`, with a nonce of this server that is not older than `NONCE_SECONDS` |
| how often | once: its `jti` is on record, for every process, as long as the proof could be sent again |

A nonce is sealed by the hub's keys and kept nowhere: every process knows it again, before and after a restart. One of
the authorization server counts at no resource, and the other way round.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key

from hub.core.errors import Malformed, NonceNeeded, ProofRefused
from hub.identity.assertions import SIGNING_ALGORITHMS, algorithms_of, json_object, unproven
from hub.identity.foreign_tokens import moment
from hub.identity.secrets import hash_secret
from hub.identity.tables import UsedProofRow
from hub.keys import Keyring
from hub.storage import Tx, insert_into

ALGORITHMS: Final = tuple(sorted(SIGNING_ALGORITHMS))
"""What a proof may be signed with; which of them, its key decides."""
BEARER: Final = "Bearer"
DPOP: Final = "DPoP"
NONCE_HEADER: Final = "DPoP-Nonce"
NONCE_SECONDS: Final = 300
OLDEST: Final = timedelta(minutes=2)
CLOCK_SKEW: Final = timedelta(seconds=30)
MAX_LENGTH: Final = 4096
LONGEST_IDENTIFIER: Final = 255

_TYPES: Final = frozenset({"dpop+jwt", "application/dpop+jwt"})
_PORTS: Final = {"http": 80, "https": 443}
_ESCAPED: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """An access token and the scheme by which it came; both empty: none came by a scheme that counts here."""

    scheme: str
    token: str = field(repr=False)


class Place(StrEnum):
    """Which of the two servers that the hub is asks for a proof."""

    AUTHORIZATION = "authorization"
    RESOURCE = "resource"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request proves possession with: its `DPoP` headers, and what they have to be made for."""

    method: str
    url: str
    proofs: tuple[str, ...]
    token: str | None = field(default=None, repr=False)
    """The access token that comes with it, if one does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A proof that holds, unless it was used before: of which key, by its thumbprint, and until when it is good."""

    thumbprint: str
    id: str
    expires_at: datetime


class _ProofHeaders(jws.JWSRegistry):
    """Headers that hold a whole key, for which joserfc's usual bound is too narrow."""

    max_header_length = MAX_LENGTH


def read_proof(keys: Keyring, asked: Asked, at: datetime, place: Place) -> Proof:
    """Return the proof that came with a request, checked by the rules above but for its first use: see `use_proof`.

    Source: RFC 9449 section 4.3.

    Raises:
        NonceNeeded: it would do, with the nonce that the error brings.
        ProofRefused: there is none, there are several, or it will not do.
    """
    if len(asked.proofs) != 1:
        raise ProofRefused("Send one header DPoP, with one proof in it (RFC 9449 section 4).")
    key, claims = _signed(asked.proofs[0])
    made_at, identifier = moment(claims.get("iat")), claims.get("jti")
    if not isinstance(identifier, str) or not 1 <= len(identifier) <= LONGEST_IDENTIFIER or made_at is None:
        raise ProofRefused("The proof needs jti, a text of 1 to 255 characters, and iat.")
    if claims.get("htm") != asked.method or not _is_for(claims.get("htu"), asked.url):
        raise ProofRefused("The proof is for another request: htm and htu have to be its method and address.")
    if asked.token is not None and not _covers(claims.get("ath"), asked.token):
        raise ProofRefused("The proof is for another access token: ath has to be its SHA-256, in base64url.")
    _check_nonce(keys, claims.get("nonce"), place)
    if not at - OLDEST <= made_at <= at + CLOCK_SKEW:
        raise ProofRefused("The proof was not made just now: make one for each request, and look at your clock.")
    return Proof(thumbprint=key.thumbprint(), id=identifier, expires_at=made_at + OLDEST + CLOCK_SKEW)


async def use_proof(tx: Tx, proof: Proof) -> None:
    """Put on record that a proof was used.

    Raises:
        ProofRefused: it was before, whichever process saw it.
    """
    # The second of two that come at the same moment waits for the first, and then finds it used.
    used = {"hash": hash_secret(f"{proof.thumbprint} {proof.id}"), "expires_at": proof.expires_at}
    first = insert_into(tx, UsedProofRow).values(used).on_conflict_do_nothing().returning(UsedProofRow.hash)
    if await tx.scalar(first) is None:
        raise ProofRefused("The proof was used before: make one for each request, with a jti of its own.")


def new_nonce(keys: Keyring, place: Place) -> str:
    """Return a nonce that proofs for this server may have from now on."""
    return keys.seal({}, purpose=_purpose(place), seconds=NONCE_SECONDS)


def credential_in(headers: Sequence[str]) -> Credential:
    """Return the credential in the headers called Authorization: none, if there is not exactly one of them."""
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    known = {BEARER.lower(): BEARER, DPOP.lower(): DPOP}.get(scheme.lower(), "")
    return Credential(scheme=known, token=token.strip() if known else "")


def proofs_in(headers: Sequence[str]) -> tuple[str, ...]:
    """Return the proofs that came in headers called DPoP; a list in one header is as many (RFC 9110 section 5.3)."""
    return tuple(one.strip() for header in headers for one in header.split(","))


def _signed(text: str) -> tuple[Key, Mapping[str, Any]]:
    said = unproven(text, _ProofHeaders()) if len(text) <= MAX_LENGTH else None
    if said is None:
        raise _unreadable()
    header = said.header
    try:
        key = import_key(json_object(header.get("jwk")) or {})
        if header.get("typ", "").lower() not in _TYPES:
            raise ProofRefused("The proof has to be of the type dpop+jwt.")
        if key.is_private:
            raise ProofRefused("The proof shows a secret or a private key; do not use that key again, make a new one.")
        # The algorithm is the key's property, so that neither `none` nor one with a shared secret is ever considered.
        algorithms = algorithms_of(key)
        if not algorithms:
            raise ProofRefused(f"The proof's key has to be one that signs with {', '.join(ALGORITHMS)}.")
        return key, jwt.decode(text, key, registry=_ProofHeaders(algorithms=algorithms)).claims
    except (JoseError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise _unreadable() from error


def _unreadable() -> ProofRefused:
    return ProofRefused("The proof is no JWT that the key in its header `jwk` has signed.")


def _check_nonce(keys: Keyring, said: object, place: Place) -> None:
    try:
        keys.unseal(said if isinstance(said, str) else "", purpose=_purpose(place))
    except Malformed as error:
        raise NonceNeeded(new_nonce(keys, place)) from error


def _purpose(place: Place) -> str:
    return f"proof nonce {place.value}"


def _covers(said: object, token: str) -> bool:
    digest = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=")
    return isinstance(said, str) and hmac.compare_digest(said.encode(), digest)


def _is_for(said: object, url: str) -> bool:
    """Return whether two addresses are the same, but for query and fragment (RFC 3986 section 6.2.2 and 6.2.3)."""
    try:
        return isinstance(said, str) and _normal(said) == _normal(url)
    except ValueError:
        return False


def _normal(url: str) -> tuple[str, str | None, int | None, str]:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError("an address of a user")
    path = _ESCAPED.sub(_unescaped, parts.path) or "/"
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme), path


def _unescaped(escaped: re.Match[str]) -> str:
    character = chr(int(escaped[1], 16))
    return character if _UNRESERVED.fullmatch(character) else escaped[0].upper()
