"""Proof by a signed assertion, `private_key_jwt` (RFC 7523 section 2.2): keys that will do, and use but once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

from hub.core.canonical import parse_json
from hub.core.errors import InputError
from hub.identity.secrets import hash_secret
from hub.identity.tables import UsedAssertionRow
from hub.storage import Tx, insert_into, now

MAX_LENGTH: Final = 8192
MAX_KEYS: Final = 10
LONGEST_LIFE: Final = timedelta(minutes=10)
"""An assertion that says it is good for longer is refused: it would have to be remembered for as long."""
CLOCK_SKEW: Final = timedelta(seconds=30)
SIGNING_ALGORITHMS: Final = frozenset({"ES256", "RS256", "PS256", "EdDSA", "Ed25519"})
"""What an assertion may be signed with; which of them, its key decides."""

_SMALLEST_RSA: Final = 2048
_TEXTS: Final = ("alg", "kid", "typ")
"""What a header says in texts, where it says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """A client's assertion and whom it has to be made for: any of `audiences`."""

    text: str
    client_id: str
    audiences: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproven:
    """What stands in a JWT, whoever signed it: two objects; the header names algorithm, key and type in text."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]


def unproven(text: str, registry: jws.JWSRegistry | None = None) -> Unproven | None:
    """Return what a JWT says, unproven, or None: it is none, or not one that every reader can read and reads alike.

    Everybody may send one. So this comes first: what verifies signatures reads claims of any depth and of any text.
    """
    if len(text) > MAX_LENGTH or not text.isascii():
        return None
    try:
        parts = jws.extract_compact(text.encode(), registry=registry)
        header, claims = json_object(parts.headers()), json_object(parse_json(parts.payload))
    except (JoseError, ValueError, InputError, RecursionError):
        return None
    if header is None or claims is None or not all(isinstance(header.get(name, ""), str) for name in _TEXTS):
        return None
    return Unproven(header=header, claims=claims)


def claimed_client(text: str) -> str | None:
    """Return whom an assertion is said to come from, unproven, or None if it is no JWT with a subject."""
    said = unproven(text)
    subject = None if said is None else said.claims.get("sub")
    return subject if isinstance(subject, str) and subject else None


def check_keys(jwks: Mapping[str, Any]) -> dict[str, Any]:
    """Return the key set (RFC 7517 section 5) as it is kept, if a client may prove itself with these keys.

    Raises:
        InputError: no key, too many, a private one, or one of a kind or size that is not taken.
    """
    keys = json_list(jwks.get("keys"))
    if not 1 <= len(keys) <= MAX_KEYS:
        raise InputError(f"A key set has `keys`, with 1 to {MAX_KEYS} public keys in it.")
    return {"keys": [_checked(one) for one in keys]}


async def is_proven(tx: Tx, jwks: Mapping[str, Any], assertion: Assertion) -> bool:
    """Return whether one of the client's keys signed `assertion`, for us, for now, and it was never used before.

    It counts as used from here on, whatever comes of the request; commit `tx`.
    """
    claims = _signed_claims(assertion.text, jwks["keys"])
    if claims is None or claims.get("iss") != assertion.client_id or claims.get("sub") != assertion.client_id:
        return False
    if not _audiences(claims) & assertion.audiences:
        return False
    expires_at = _good_until(claims, await now(tx))
    identifier = claims.get("jti")
    if expires_at is None or not isinstance(identifier, str) or not identifier:
        return False
    return await use_once(tx, assertion.client_id, identifier, expires_at)


def thumbprint_of(key: Mapping[str, Any]) -> str:
    """Return the thumbprint of a public key (RFC 7638): its name that nobody can choose."""
    return import_key(dict(key)).thumbprint()


def json_object(value: object) -> dict[str, Any] | None:
    """Return a JSON object, or None: it is something else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def json_list(value: object) -> list[object]:
    """Return a JSON array; what is none has nothing in it."""
    return cast("list[object]", value) if isinstance(value, list) else []


def _checked(value: object) -> dict[str, Any]:
    key = json_object(value)
    if key is None:
        raise InputError("Each key in a key set is a JSON object (RFC 7517 section 4).")
    try:
        read = import_key(key)
    except (JoseError, KeyError, TypeError, ValueError) as error:
        raise InputError("A key in the key set cannot be read (RFC 7517 section 4).") from error
    if read.is_private:
        raise InputError("Send public keys only, and keep the private ones; if you have just sent one, make a new one.")
    if not algorithms_of(read):
        raise InputError(f"A key is EC P-256, RSA of {_SMALLEST_RSA} bits or more, or Ed25519.")
    return {**read.as_dict(private=False), **({"kid": key["kid"]} if isinstance(key.get("kid"), str) else {})}


def algorithms_of(key: Key) -> list[str]:
    """Return what a key may sign with; the algorithm is its property, what a header says is only compared with it."""
    if isinstance(key, ECKey):
        return ["ES256"] if key.curve_name == "P-256" else []
    if isinstance(key, RSAKey):
        return ["RS256", "PS256"] if key.public_key.key_size >= _SMALLEST_RSA else []
    return ["EdDSA", "Ed25519"] if isinstance(key, OKPKey) and key.curve_name == "Ed25519" else []


def _signed_claims(text: str, keys: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    said = unproven(text)
    if said is None:
        return None
    named = said.header.get("kid")
    for one in keys:
        if named is not None and one.get("kid") not in {None, named}:
            continue
        key = import_key(dict(one))
        try:
            return jwt.decode(text, key, algorithms=algorithms_of(key)).claims
        except (JoseError, ValueError, TypeError):
            continue
    return None


def _audiences(claims: Mapping[str, Any]) -> set[str]:
    said = claims.get("aud")
    return {one for one in (json_list(said) or [said]) if isinstance(one, str)}


def _good_until(claims: Mapping[str, Any], at: datetime) -> datetime | None:
    """Return until when the assertion is good, or None if it is not good at `at`."""
    expires_at, not_before = _moment(claims.get("exp")), _moment(claims.get("nbf", 0))
    if expires_at is None or not_before is None or not_before > at + CLOCK_SKEW:
        return None
    return expires_at if at - CLOCK_SKEW < expires_at <= at + LONGEST_LIFE + CLOCK_SKEW else None


def _moment(seconds: object) -> datetime | None:
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


async def use_once(tx: Tx, client_id: str, identifier: str, expires_at: datetime) -> bool:
    """Return whether an assertion of this client was never used before; it is from here on."""
    # The second of two that come at the same moment waits for the first, and then finds it used.
    used = {"hash": hash_secret(f"{client_id} {identifier}"), "expires_at": expires_at + CLOCK_SKEW}
    first = insert_into(tx, UsedAssertionRow).values(used).on_conflict_do_nothing().returning(UsedAssertionRow.hash)
    return await tx.scalar(first) is not None
