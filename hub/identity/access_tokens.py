"""Access tokens: RFC 9068 JWTs that the hub signs for its own servers, and what a well-formed one says."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from hub.core.errors import Unauthenticated, Unavailable
from hub.identity.key_binding import thumbprint_in
from hub.identity.scopes import parse_scopes, scope_text
from hub.keys import Keyring

TOKEN_TYPE: Final = "at+jwt"  # noqa: S105  # the media type, not a secret
ALGORITHM: Final = "ES256"
MAX_TOKEN_LENGTH: Final = 8192
_REFUSAL: Final = "The access token is not valid here; ask for a new one."
_TYPES: Final = {TOKEN_TYPE, f"application/{TOKEN_TYPE}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """What an access token says: which client may do what where, for whom, until when, and under which grant."""

    id: str
    issuer: str
    grant_id: str
    client_id: str
    agent_version: int
    user_id: str | None
    scopes: frozenset[str]
    resource: str
    issued_at: datetime
    expires_at: datetime
    authenticated_at: datetime | None
    not_before: datetime | None = None
    actors: tuple[str, ...] = ()
    """Which clients acted for the user before this one did, the latest first (RFC 8693 section 4.1)."""
    key_thumbprint: str | None = None
    """Of the key that it is bound to (RFC 9449 section 6.1); None: whoever bears it may use it."""


def mint(token: AccessToken, keys: Keyring) -> str:
    """Return `token` signed with the current key.

    With a user, `sub` is the user and `act` the client that acts for it (RFC 8693 section 4.1); without one, `sub` is
    the client itself. `grant` is ours: the grant whose end is the token's end; `agent_version` is ours too.
    """
    claims: dict[str, Any] = {
        "iss": token.issuer,
        "aud": token.resource,
        "sub": token.user_id or token.client_id,
        "client_id": token.client_id,
        "jti": token.id,
        "iat": _seconds(token.issued_at),
        "exp": _seconds(token.expires_at),
        "scope": scope_text(token.scopes),
        "grant": token.grant_id,
        "agent_version": token.agent_version,
    }
    if token.user_id is not None:
        claims["act"] = nested_actors((token.client_id, *token.actors))
    if token.authenticated_at is not None:
        claims["auth_time"] = _seconds(token.authenticated_at)
    if token.key_thumbprint is not None:
        claims["cnf"] = {"jkt": token.key_thumbprint}
    key = keys.signing_key("tokens")
    if not isinstance(key.private, EllipticCurvePrivateKey):
        raise Unavailable(f"The signing key {key.id} is not one for tokens; rotate it.")
    header = {"typ": TOKEN_TYPE, "alg": ALGORITHM, "kid": key.id}
    return jwt.encode(header, claims, ECKey.import_key(key.private), algorithms=[ALGORITHM])


def nested_actors(actors: tuple[str, ...]) -> dict[str, Any]:
    """Return the claim `act` for those who act, the one who does now first (RFC 8693 section 4.1)."""
    act: dict[str, Any] = {}
    for one in reversed(actors):
        act = {"sub": one, "act": act} if act else {"sub": one}
    return act


def read_access_token(text: str, keys: Keyring) -> AccessToken:
    """Return what `text` says if one of our keys signed it as an access token.

    Whether it says so for this server, now, and of principals in good standing is for the verifier to decide.

    Raises:
        UnknownKey: it names a key this process does not know.
        Unauthenticated: it is none of ours, or not well formed.
    """
    if len(text) > MAX_TOKEN_LENGTH or not text.isascii():
        raise refused()
    try:
        parsed = _verified(text, keys)
        if str(parsed.header.get("typ", "")).lower() not in _TYPES:
            raise refused()
        return _token(parsed.claims)
    except (JoseError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise refused() from error


class UnknownKey(Unauthenticated):
    """The token names a key that this process does not know; another process may have made it meanwhile."""

    def __init__(self) -> None:
        super().__init__(_REFUSAL)


def refused() -> Unauthenticated:
    """Return the one answer to every bad token: whoever forges learns nothing from it."""
    return Unauthenticated(_REFUSAL)


def _verified(text: str, keys: Keyring) -> jwt.Token:
    # The algorithm is a property of our key; what the header says is only compared with it. So neither `none` nor an
    # HMAC with a public key as its secret (RFC 8725 section 2.1) is ever considered.
    kid = jws.extract_compact(text.encode()).headers()["kid"]
    known = {public["kid"]: public for public in keys.public_keys("tokens")}
    if kid not in known:
        raise UnknownKey
    return jwt.decode(text, ECKey.import_key(dict(known[kid])), algorithms=[ALGORITHM])


def _token(claims: Mapping[str, Any]) -> AccessToken:
    client_id, subject = _text(claims, "client_id"), _text(claims, "sub")
    actor, *actors = _actors(claims.get("act", {"sub": client_id}))
    if actor != client_id or ("act" in claims) != (subject != client_id):
        raise ValueError(actor)
    auth_time = claims.get("auth_time")
    return AccessToken(
        id=_text(claims, "jti"),
        issuer=_text(claims, "iss"),
        grant_id=_text(claims, "grant"),
        client_id=client_id,
        agent_version=_number(claims, "agent_version"),
        user_id=subject if "act" in claims else None,
        scopes=parse_scopes(_text(claims, "scope")),
        resource=_text(claims, "aud"),
        issued_at=_moment(claims["iat"]),
        expires_at=_moment(claims["exp"]),
        authenticated_at=None if auth_time is None else _moment(auth_time),
        not_before=_moment(claims["nbf"]) if "nbf" in claims else None,
        actors=tuple(actors),
        key_thumbprint=thumbprint_in(claims),
    )


def _actors(act: Mapping[str, Any]) -> list[str]:
    return [_text(act, "sub"), *(_actors(act["act"]) if "act" in act else [])]


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value


def _number(claims: Mapping[str, Any], name: str) -> int:
    value = claims[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(name)
    return value


def _moment(seconds: object) -> datetime:
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise TypeError(seconds)
    return datetime.fromtimestamp(seconds, UTC)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
