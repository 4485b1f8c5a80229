"""Access tokens: what is asked of a token endpoint, where alone that may stand, and what its answer means. Pure."""

import base64
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, cast
from urllib.parse import quote, quote_plus, urlencode, urlsplit
from uuid import uuid4

from joserfc import jwk, jwt
from joserfc.errors import JoseError

from connectors.sdk.auth import ACCESS_TOKEN, THE_SYSTEM, TOKEN_URL, AuthSpec
from connectors.sdk.errors import Unavailable

Json = Any
"""Any JSON value."""

ASSERTION_SECONDS: Final = 300
"""How long an assertion is good for: clocks differ, and nobody needs it afterwards."""
MARGIN_SECONDS: Final = 60.0
"""So long before it expires a token is no longer used: the request has to arrive as well."""
_GRANTS: Final[Mapping[str, str]] = {
    "client_credentials": "client_credentials",
    "refresh_token": "refresh_token",
    "jwt_bearer": "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "token_exchange": "urn:ietf:params:oauth:grant-type:token-exchange",
}
_KEYS: Final[Mapping[str, type[jwk.RSAKey | jwk.ECKey | jwk.OKPKey]]] = {
    "RS256": jwk.RSAKey,
    "PS256": jwk.RSAKey,
    "ES256": jwk.ECKey,
    "Ed25519": jwk.OKPKey,
}
_ONE_LINE: Final = re.compile(r"-----BEGIN ([A-Z ]+)-----([^\n-]+)-----END \1-----")
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_ERRORS: Final = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"}
    | {"invalid_scope", "invalid_target", "access_denied"}
)
"""RFC 6749 section 5.2, RFC 8693 section 2.2.2. What else an endpoint says is not repeated: it may be a secret."""


class Refused(Exception):
    """The endpoint said no, or nothing that is a token; the message is its reason, if that is one of the RFC's."""


class Address(NamedTuple):
    """Where a token endpoint stands."""

    scheme: str
    host: str
    port: int | None
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """What is posted to a token endpoint. Its `repr` shows the address alone."""

    address: Address
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token; `seconds` is how long it may be used, if that was said. Its `repr` shows no secret."""

    value: str = field(repr=False)
    seconds: float | None
    refresh_token: str | None = field(repr=False)
    """The one that takes the place of the one that was used, if the endpoint rotates them."""


def address_of(auth: AuthSpec, secret: Mapping[str, str], base_url: str) -> Address:
    """Return where the token endpoint of `auth` stands: below the base URL, at its origin, or at a host it names.

    A value that is put into the path stays one segment of it.

    Raises:
        Unavailable: a value cannot be one.
    """
    template = auth.parameters["token_url"]
    if not TOKEN_URL.fullmatch(template):  # a spec read from elsewhere than the model that checks it
        raise Unavailable("The connector's token endpoint stands where none may; nothing was sent.")
    base = urlsplit(base_url)
    filled = template.removeprefix("{base_url}").removeprefix("{origin}")
    place = base if filled != template else urlsplit(template)
    prefix = base.path.rstrip("/") if template.startswith("{base_url}") else ""
    path = _PLACEHOLDER.sub(lambda match: _segment(match[1], secret), filled if filled != template else place.path)
    return Address(place.scheme, place.hostname or "", place.port, prefix + path or "/")


def token_request(auth: AuthSpec, secret: Mapping[str, str], base_url: str, *, now: float) -> TokenRequest:
    """Return what to ask for a token; `now` is the wall clock's, for what is signed.

    Raises:
        Unavailable: the credential cannot be used for it.
    """
    address = address_of(auth, secret, base_url)
    form = {"grant_type": _GRANTS[auth.kind], **_asked(auth, base_url), **_granted(auth, secret, address, now)}
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    if "client_secret" in secret and auth.parameters.get("client", "basic") == "basic":
        # RFC 6749 section 2.3.1 encodes both as forms do before it joins them
        pair = f"{quote_plus(secret['client_id'])}:{quote_plus(secret['client_secret'])}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"
    else:
        form |= {name: secret[name] for name in ("client_id", "client_secret") if name in secret}
    return TokenRequest(address=address, headers=headers, body=urlencode(form).encode("ascii"))


def token_in(status: int, body: bytes) -> Token:
    """Return the token in an endpoint's answer.

    Raises:
        Refused: there is none.
        Unavailable: the endpoint cannot answer at the moment.
    """
    if status >= 500 or status in {408, 429}:  # noqa: PLR2004  # RFC 9110 section 15.6
        raise Unavailable("The system's token endpoint cannot answer at the moment. Nothing else was sent.")
    try:
        said: Json = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused from error
    members = cast("dict[str, Json]", said) if isinstance(said, dict) else {}
    if not 200 <= status < 300:  # noqa: PLR2004  # RFC 9110 section 15.3
        raise Refused(next((known for known in _ERRORS if known == members.get("error")), ""))
    value, kind = members.get("access_token"), members.get("token_type", "bearer")
    if not isinstance(value, str) or not value or not isinstance(kind, str) or kind.lower() != "bearer":
        raise Refused
    renewed = members.get("refresh_token")
    return Token(
        value=value,
        seconds=_usable_seconds(members.get("expires_in")),
        refresh_token=renewed if isinstance(renewed, str) and renewed else None,
    )


def _usable_seconds(expires_in: Json) -> float | None:
    if isinstance(expires_in, str) and expires_in.isdecimal():  # some say it as a text
        expires_in = int(expires_in)
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float) or not math.isfinite(expires_in):
        return None
    return max(0.0, expires_in - min(MARGIN_SECONDS, expires_in / 5))


def _asked(auth: AuthSpec, base_url: str) -> dict[str, str]:
    names = ("scope", "resource") if auth.kind == "jwt_bearer" else ("scope", "resource", "audience")
    asked = {name: auth.parameters[name] for name in names if auth.parameters.get(name)}
    if asked.get("resource") == THE_SYSTEM:
        asked["resource"] = base_url
    return asked


def _granted(auth: AuthSpec, secret: Mapping[str, str], address: Address, now: float) -> dict[str, str]:
    match auth.kind:
        case "refresh_token":
            return {"refresh_token": secret["refresh_token"]}
        case "jwt_bearer":
            return {"assertion": _assertion(auth, secret, address, now)}
        case "token_exchange":
            kind = auth.parameters.get("subject_token_type", ACCESS_TOKEN)
            return {"subject_token": secret["subject_token"], "subject_token_type": kind}
        case _:
            return {}


def _assertion(auth: AuthSpec, secret: Mapping[str, str], address: Address, now: float) -> str:
    """Return the signed claim of who the hub is (RFC 7523 section 3)."""
    algorithm = auth.parameters.get("algorithm", "RS256")
    host = f"[{address.host}]" if ":" in address.host else address.host
    endpoint = f"{address.scheme}://{host}{f':{address.port}' if address.port else ''}{address.path}"
    claims = {
        "iss": secret["issuer"],
        "sub": secret.get("subject") or secret["issuer"],
        "aud": auth.parameters.get("audience") or endpoint,
        "iat": int(now),
        "exp": int(now) + ASSERTION_SECONDS,
        "jti": str(uuid4()),
        # some endpoints read it here, and not in the form
        **({"scope": auth.parameters["scope"]} if auth.parameters.get("scope") else {}),
    }
    header = {"alg": algorithm, **({"kid": secret["key_id"]} if secret.get("key_id") else {})}
    try:
        key = _KEYS[algorithm].import_key(_pem(secret["private_key"]))
        return jwt.encode(header, claims, key, algorithms=[algorithm])
    except (JoseError, ValueError, TypeError):
        # the cause stays out of it: it could show the key
        raise Unavailable(
            f"The connection's private key is no PEM of a key for {algorithm}; its owner must enter it again."
        ) from None


def _pem(text: str) -> str:
    """Return a key as its file has it: entered in one line it has lost its line ends, or has them written out."""
    text = text.strip().replace("\\n", "\n")
    found = _ONE_LINE.fullmatch(text)
    if found is None:
        return text
    body = "".join(found[2].split())
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {found[1]}-----", *lines, f"-----END {found[1]}-----", ""])


def _segment(name: str, secret: Mapping[str, str]) -> str:
    value = secret[name]
    if value in {"", ".", ".."} or not value.isprintable():
        raise Unavailable(f"The connection's {name} cannot be part of an address; its owner must enter it again.")
    return quote(value, safe="")
