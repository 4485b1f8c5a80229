"""How a connector's system is signed in to: the kinds the broker knows, and one short constructor for each."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, model_validator

Json = Any
"""Any JSON value."""

ClientProof = Literal["basic", "body"]
"""How a client shows its secret at a token endpoint (RFC 6749 section 2.3.1)."""
Algorithm = Literal["RS256", "PS256", "ES256", "Ed25519"]

TOKEN_KINDS: Final = frozenset({"client_credentials", "refresh_token", "jwt_bearer", "token_exchange"})
"""Kinds whose proof is an access token that the broker fetches from `token_url`."""
ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  # a name of RFC 8693, no secret
THE_SYSTEM: Final = "{base_url}"
"""The `resource` that is the very system a connection leads to, wherever that is (RFC 8707)."""

_PLACEHOLDER: Final = re.compile(r"\{([^{}/]+)\}")
TOKEN_URL: Final = re.compile(
    r"(?:\{base_url\}|\{origin\}|https://[A-Za-z0-9.-]+(?::\d+)?|http://(?:127\.0\.0\.1|localhost)(?::\d+)?)"
    r"(?:/(?:[A-Za-z0-9._~-]|\{\w+\})+)*/?"
)
"""Where tokens may come from: below the connection's base URL, at its origin, or at one host that is named in full."""


class AuthSpec(BaseModel):
    """How the broker proves who it is to the system; names of secret fields, never their values.

    | kind | secret_fields | parameters |
    | --- | --- | --- |
    | `none` | | |
    | `api_key` | `key` | `header` (default `x-api-key`), `prefix` before the key (default none) |
    | `basic` | `username`, `password` | |
    | `bearer` | `token` | |
    | `session_login` | any | `body`, `credentials`, `path`, `header`, `scheme`, `encoding` |
    | `client_credentials` | `client_id`, `client_secret` | `scope`, `audience`, `resource`, `client` |
    | `refresh_token` | `client_id`, `refresh_token`, perhaps `client_secret` | `scope`, `client` |
    | `jwt_bearer` | `issuer`, `private_key`, perhaps `subject`, `key_id` | `audience`, `scope`, `algorithm` |
    | `token_exchange` | `client_id`, `client_secret`, `subject_token` | as `client_credentials`, `subject_token_type` |

    A session login posts `body`, JSON in which `{password}` stands for that secret field, to `path` below the base
    URL (default: the base URL itself). Its answer makes the header `header` (default `authorization`): `scheme`
    (default `Bearer`), a blank and `credentials`, in which `{login}` stands for a secret field and `{/result/0}` for
    what that JSON pointer leads to in the answer; encoded by `encoding`, `base64` (default) or `plain`.

    The last four need a `token_url` as well, and show their client secret in the header or in the `body` (`client`).
    A token endpoint stands below `{base_url}`, at the `{origin}` of the base URL, or at one https host that
    `token_url` names in full; nothing is sent anywhere else. In its path `{tenant}` stands for a further secret field.
    A `resource` of `{base_url}` is the base URL of the connection, whichever it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal[
        "none",
        "api_key",
        "basic",
        "bearer",
        "session_login",
        "client_credentials",
        "refresh_token",
        "jwt_bearer",
        "token_exchange",
    ] = "none"
    secret_fields: tuple[str, ...] = ()
    parameters: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    """Further headers of every request, in whose values `{field}` stands for a secret field."""

    def with_header(self, name: str, value: str) -> Self:
        """Return the same sign-in with one more header, such as `with_header("x-api-key", "{api_key}")`.

        Raises:
            ValueError: it is a header of the sign-in itself, or none that may be chosen.
        """
        fields = [*self.secret_fields, *(one for one in _PLACEHOLDER.findall(value) if one not in self.secret_fields)]
        declared = {"secret_fields": fields, "headers": {**self.headers, name.lower(): value}}
        return type(self).model_validate({**self.model_dump(), **declared})

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        problems = [*_contradictions(self), *_contradictions_of_headers(self)]
        if problems:
            raise ValueError(f"auth {self.kind}: {'; '.join(problems)}")
        return self


class _Kind(NamedTuple):
    """What belongs to a kind: the secret fields it needs and may have, the parameters it needs and may have."""

    fields: frozenset[str] = frozenset()
    more_fields: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    parameters: frozenset[str] = frozenset()


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HEADER: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_RESERVED: Final = _names(
    "host content-length content-type content-encoding transfer-encoding connection upgrade te trailer expect cookie "
    "accept accept-encoding user-agent if-match if-none-match idempotency-key x-http-method x-http-method-override "
    "x-method-override proxy-authorization forwarded x-forwarded-for x-forwarded-host"
)
"""Headers that frame a request, or that change what it does: none of them is a proof of who the hub is."""
_TOKEN_URL: Final = _names("token_url")
_KINDS: Final[Mapping[str, _Kind]] = {
    "none": _Kind(),
    "api_key": _Kind(_names("key"), parameters=_names("header prefix")),
    "basic": _Kind(_names("username password")),
    "bearer": _Kind(_names("token")),
    "session_login": _Kind(needs=_names("body credentials"), parameters=_names("path header scheme encoding")),
    "client_credentials": _Kind(
        _names("client_id client_secret"), needs=_TOKEN_URL, parameters=_names("scope audience resource client")
    ),
    "refresh_token": _Kind(
        _names("client_id refresh_token"),
        more_fields=_names("client_secret"),
        needs=_TOKEN_URL,
        parameters=_names("scope client"),
    ),
    "jwt_bearer": _Kind(
        _names("issuer private_key"),
        more_fields=_names("subject key_id"),
        needs=_TOKEN_URL,
        parameters=_names("audience scope algorithm"),
    ),
    "token_exchange": _Kind(
        _names("client_id client_secret subject_token"),
        needs=_TOKEN_URL,
        parameters=_names("audience resource scope client subject_token_type"),
    ),
}
_CHOICES: Final[Mapping[str, frozenset[str]]] = {
    "encoding": _names("base64 plain"),
    "client": _names("basic body"),
    "algorithm": _names("RS256 PS256 ES256 Ed25519"),
}


def _contradictions(auth: AuthSpec) -> Iterator[str]:
    kind, parameters = _KINDS[auth.kind], auth.parameters
    if unknown := {*parameters} - kind.needs - kind.parameters:
        yield f"it has no parameters {sorted(unknown)}"
    for name, choices in _CHOICES.items():
        if name in parameters and parameters[name] not in choices:
            yield f"{name} is one of {sorted(choices)}"
    if missing := kind.needs - {*parameters}:
        yield f"say {' and '.join(sorted(missing))}"
    elif auth.kind == "session_login":
        yield from _contradictions_of_a_login(auth)
    else:
        yield from _contradictions_of_fields(auth, kind)


def _contradictions_of_headers(auth: AuthSpec) -> Iterator[str]:
    default = "x-api-key" if auth.kind == "api_key" else "authorization"
    taken = _RESERVED if auth.kind == "none" else _RESERVED | {auth.parameters.get("header", default).lower()}
    for name, value in auth.headers.items():
        if not _HEADER.fullmatch(name) or name in taken:
            yield f"{name!r} is no header that may be added: write it in lower case, and leave framing and proof alone"
        if unknown := {*_PLACEHOLDER.findall(value)} - {*auth.secret_fields}:
            yield f"the header {name!r} names {sorted(unknown)}, which are no secret fields"


def _contradictions_of_fields(auth: AuthSpec, kind: _Kind) -> Iterator[str]:
    token_url = auth.parameters.get("token_url", "")
    fields, in_url = {*auth.secret_fields}, _fields_in(token_url)
    in_headers = {name for value in auth.headers.values() for name in _PLACEHOLDER.findall(value)}
    if kind.fields - fields or fields - kind.fields - kind.more_fields - in_url - in_headers:
        yield f"its secret fields are {sorted(kind.fields)}, not {[*auth.secret_fields]}"
    if auth.kind not in TOKEN_KINDS:
        return
    if not TOKEN_URL.fullmatch(token_url):
        yield "token_url starts with {base_url}, {origin} or https://host, and has neither user, query nor fragment"
    elif unknown := in_url - fields:
        yield f"token_url names {sorted(unknown)}, which are no secret fields"


def _contradictions_of_a_login(auth: AuthSpec) -> Iterator[str]:
    try:
        json.loads(auth.parameters["body"])
    except ValueError:
        yield "body is not JSON"
    # a pattern of one name in braces, so that the braces of the body's own JSON do not count
    named = {name for key in ("body", "credentials") for name in _PLACEHOLDER.findall(auth.parameters[key])}
    if unknown := {name for name in named if name.isidentifier()} - {*auth.secret_fields}:
        yield f"{sorted(unknown)} are no secret fields"


def _fields_in(token_url: str) -> frozenset[str]:
    return frozenset(_PLACEHOLDER.findall(token_url)) - {"base_url", "origin"}


def ApiKey(*, header: str = "x-api-key", prefix: str = "") -> AuthSpec:
    """Return: one secret `key`, sent as `header: prefix + key`."""
    return AuthSpec(kind="api_key", secret_fields=("key",), parameters={"header": header, "prefix": prefix})


def Basic() -> AuthSpec:
    """Return: `username` and `password` with each request (RFC 7617)."""
    return AuthSpec(kind="basic", secret_fields=("username", "password"))


def Bearer() -> AuthSpec:
    """Return: one secret `token` that does not expire, sent as `Authorization: Bearer` (RFC 6750)."""
    return AuthSpec(kind="bearer", secret_fields=("token",))


def SessionLogin(*, body: Json, credentials: str, fields: Sequence[str], **more: str) -> AuthSpec:
    """Return: a login that makes a session; `AuthSpec` says what `body`, `credentials` and `more` mean."""
    parameters = {"body": json.dumps(body), "credentials": credentials, **more}
    return AuthSpec(kind="session_login", secret_fields=tuple(fields), parameters=parameters)


def ClientCredentials(
    *, token_url: str, scope: str = "", audience: str = "", resource: str = "", client: ClientProof = "basic"
) -> AuthSpec:
    """Return: a token for the hub itself (RFC 6749 section 4.4)."""
    more = {"scope": scope, "audience": audience, "resource": resource, "client": client}
    return _with_token("client_credentials", token_url, ("client_id", "client_secret"), more)


def OnBehalfOfUser(
    *, token_url: str, scope: str = "", client: ClientProof = "basic", is_public: bool = False
) -> AuthSpec:
    """Return: a token for the user who once agreed, renewed by the refresh token they left (RFC 6749 section 6).

    `is_public` is for a client without a secret.
    """
    fields = ("client_id", "refresh_token") if is_public else ("client_id", "client_secret", "refresh_token")
    return _with_token("refresh_token", token_url, fields, {"scope": scope, "client": client})


def JwtBearer(
    *,
    token_url: str,
    scope: str = "",
    audience: str = "",
    algorithm: Algorithm = "RS256",
    more_fields: Sequence[Literal["subject", "key_id"]] = (),
) -> AuthSpec:
    """Return: a token for an assertion that the hub signs with its `private_key`, a PEM (RFC 7523 section 2.1).

    The audience of the assertion is the token endpoint unless it is given.
    """
    more = {"scope": scope, "audience": audience, "algorithm": algorithm}
    return _with_token("jwt_bearer", token_url, ("issuer", "private_key", *more_fields), more)


def TokenExchange(
    *, token_url: str, audience: str = "", resource: str = "", scope: str = "", subject_token_type: str = ACCESS_TOKEN
) -> AuthSpec:
    """Return: a token for this system in exchange for the `subject_token` of another (RFC 8693)."""
    more = {"audience": audience, "resource": resource, "scope": scope, "subject_token_type": subject_token_type}
    return _with_token("token_exchange", token_url, ("client_id", "client_secret", "subject_token"), more)


def _with_token(
    kind: Literal["client_credentials", "refresh_token", "jwt_bearer", "token_exchange"],
    token_url: str,
    fields: Sequence[str],
    more: Mapping[str, str],
) -> AuthSpec:
    more_fields = sorted(_fields_in(token_url) - {*fields})
    parameters = {"token_url": token_url, **{name: value for name, value in more.items() if value}}
    return AuthSpec(kind=kind, secret_fields=(*fields, *more_fields), parameters=parameters)
