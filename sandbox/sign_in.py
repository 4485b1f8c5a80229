"""Signing in to a system: the headers that prove who the hub is, made from secrets that never leave the broker."""

import asyncio
import base64
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from connectors.sdk.auth import TOKEN_KINDS, AuthSpec
from connectors.sdk.errors import Unavailable
from connectors.sdk.pointer import resolve
from sandbox.redaction import Redaction
from sandbox.tokens import Refused, Token, TokenRequest, token_in, token_request

Json = Any
"""Any JSON value."""

Answer = TypeVar("Answer")

Secrets = Callable[[], Awaitable[Mapping[str, str]]]
"""Opens the connection's credential; called only when it is needed."""

Post = Callable[[str, bytes], Awaitable[bytes]]
"""Posts JSON to a path below the base URL and returns the body of a 2xx answer; other answers raise `SignInRefused`."""

Ask = Callable[[TokenRequest], Awaitable[tuple[int, bytes]]]
"""Sends to a token endpoint and returns status and body of the answer."""

Keep = Callable[[str, str], Awaitable[None]]
"""Keeps the refresh token (second) that the system gave in place of the one it was shown (first)."""

NAMES: Final = frozenset({"username", "login", "client_id", "issuer", "subject", "key_id", "tenant", "database", "db"})
"""Fields of a credential that say who somebody is, or where: records hold the same, and nobody gets in by them."""
FRESH_SECONDS: Final = 60.0
"""A session that was used within this time is taken to be alive."""
PAUSE_SECONDS: Final = 10.0
"""After a refused login nobody tries again for so long: systems lock accounts that guess."""
ANSWER_SECONDS: Final = 60.0
"""For so long a system may take to let the hub in; whoever waits less leaves it to whoever comes next."""
_CLOSING_SECONDS: Final = 10.0
"""For so long a sign-in that is closed waits for what it has asked for."""
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_PLACEHOLDER: Final = re.compile(r"\{([^{}]+)\}")


class SignInRefused(Exception):
    """The system answered the login with something else than yes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Headers that prove who the hub is. Its `repr` shows their names alone."""

    headers: Mapping[str, str]
    secrets: frozenset[str] = frozenset()
    """What else may not come back: what they are made of, as the owner entered it or the system gave it."""
    made_at: float = field(default_factory=time.monotonic)
    good_until: float | None = None
    """By the monotonic clock; None if nobody said when it ends."""
    _redaction: Redaction = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_redaction", Redaction(self.headers.values(), self.secrets))

    def __repr__(self) -> str:
        return f"Proof({', '.join(sorted(self.headers))})"

    def redact(self, text: str) -> str:
        """Return `text` without the values of this proof: a system may echo what it was sent."""
        return self._redaction.of(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How a sign-in reaches the system, and where it keeps what the system gives it for the next time."""

    base_url: str
    post: Post
    ask: Ask
    keep: Keep | None = None


class SignIn:
    """The proof of one connection. A session or a token is made on first need, and again when it has ended.

    It is made once for all who wait for it, and to the end, if nobody does any more: of what has been asked for, the
    system may have put something new in the place of what the hub holds.
    """

    def __init__(self, auth: AuthSpec, secrets: Secrets, ways: Ways) -> None:
        self._auth = auth
        self._secrets = secrets
        self._ways = ways
        self._rotated: tuple[str, str] | None = None
        self._proof: Proof | None = None
        self._used_at = 0.0
        self._refused_at: float | None = None
        self._making: asyncio.Task[Proof] | None = None

    @property
    def has_session(self) -> bool:
        """Return whether there is something that the system may forget."""
        return self._auth.kind == "session_login" or self._auth.kind in TOKEN_KINDS

    def has_lost(self, status: int) -> bool:
        """Return whether an answer of `status` may mean that the system no longer knows the session or the token.

        A token that is not enough for a request (403) would not be enough if it were new.
        """
        return self.has_session and (status == _UNAUTHORIZED or (status == _FORBIDDEN and not self._has_tokens))

    @property
    def _has_tokens(self) -> bool:
        return self._auth.kind in TOKEN_KINDS

    async def proof(self, *, fresh: bool = False) -> Proof:
        """Return the headers to send. `fresh` makes a new session of one that has not been used lately.

        Raises:
            Unavailable: the system does not let the hub in; nothing of the request was sent.
        """
        if self._making is None:
            if self._proof is not None and not self._is_stale(self._proof, fresh=fresh):
                return self._proof
            self._making = asyncio.create_task(self._renewed())
            self._making.add_done_callback(_heard)  # how it ended, if nobody waits for it any more
        return await asyncio.shield(self._making)

    async def close(self) -> None:
        """Let what has been asked for come to its end, as long as that takes no more than a moment."""
        if self._making is not None:
            _, late = await asyncio.wait({self._making}, timeout=_CLOSING_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _renewed(self) -> Proof:
        try:
            self._proof = await self._made()
            self._used_at = time.monotonic()
            return self._proof
        finally:
            self._making = None

    def _is_stale(self, proof: Proof, *, fresh: bool) -> bool:
        now = time.monotonic()
        if proof.good_until is not None:
            return now >= proof.good_until
        return self.has_session and fresh and now - self._used_at > FRESH_SECONDS

    def worked(self, proof: Proof) -> None:
        """Note that the system has just accepted `proof`."""
        if proof is self._proof:
            self._used_at = time.monotonic()

    def forget(self, proof: Proof) -> None:
        """Make another proof before the next request: the system no longer accepts this one."""
        if proof is self._proof:
            self._proof = None

    async def _made(self) -> Proof:
        if self._auth.kind == "none" and not self._auth.headers:
            return Proof(headers={})
        secret = await self._opened()
        proof = await self._proven(secret)
        further = {name: _filled(value, lambda field: secret[field]) for name, value in self._auth.headers.items()}
        hidden = {value for name, value in secret.items() if name not in NAMES}
        return replace(proof, headers={**_sendable(further).headers, **proof.headers}, secrets=proof.secrets | hidden)

    async def _proven(self, secret: Mapping[str, str]) -> Proof:
        match self._auth.kind:
            case "none":
                return Proof(headers={})
            case "session_login":
                return await self._session(secret)
            case "client_credentials" | "refresh_token" | "jwt_bearer" | "token_exchange":
                return await self._token(secret)
            case _:
                return _sendable(self._static(secret))

    async def _opened(self) -> Mapping[str, str]:
        secret = await self._secrets()
        missing = sorted({*self._auth.secret_fields} - secret.keys())
        if missing:
            raise Unavailable(f"The connection has no {', '.join(missing)}; its owner must enter the credential.")
        return secret

    def _static(self, secret: Mapping[str, str]) -> dict[str, str]:
        match self._auth.kind:
            case "bearer":
                return {"authorization": f"Bearer {secret['token']}"}
            case "basic":
                return {"authorization": f"Basic {_base64(secret['username'] + ':' + secret['password'])}"}
            case _:
                parameters = self._auth.parameters
                return {parameters.get("header", "x-api-key").lower(): parameters.get("prefix", "") + secret["key"]}

    async def _session(self, secret: Mapping[str, str]) -> Proof:
        """Post the login and make the header of its answer; `AuthSpec` says what the parameters mean."""
        self._pause()
        parameters = self._auth.parameters
        body = _filled(json.loads(parameters["body"]), lambda name: secret[name])
        try:
            said = json.loads(await _in_time(self._ways.post(parameters.get("path", ""), json.dumps(body).encode())))
            named = _PLACEHOLDER.findall(parameters["credentials"])
            parts = {name: _part(name, secret, said) for name in named}
        except (SignInRefused, ValueError, LookupError) as error:
            self._refused_at = time.monotonic()
            raise Unavailable("The system did not let the hub sign in; check the connection's credential.") from error
        self._refused_at = None
        name, scheme = parameters.get("header", "authorization").lower(), parameters.get("scheme", "Bearer")
        credentials = str(_filled(parameters["credentials"], parts.__getitem__))
        encoded = credentials if parameters.get("encoding") == "plain" else _base64(credentials)
        given = frozenset(value for where, value in parts.items() if where.startswith("/"))
        return replace(_sendable({name: f"{scheme} {encoded}".strip()}), secrets=given)

    async def _token(self, secret: Mapping[str, str]) -> Proof:
        """Fetch an access token; a refresh token that takes the place of the one used is kept before it is needed."""
        self._pause()
        if self._rotated is not None and secret.get("refresh_token") == self._rotated[0]:
            secret = {**secret, "refresh_token": self._rotated[1]}
        made_at = time.monotonic()
        try:
            token, secret = await self._granted(secret)
        except Refused as error:
            self._refused_at = time.monotonic()
            raise Unavailable(_what_to_do(str(error))) from None  # the cause could show what was sent
        self._refused_at = None
        proof = _sendable({"authorization": f"Bearer {token.value}"})
        shown = secret.get("refresh_token")  # other grants are given one as well, and have no use for it
        if shown is not None and token.refresh_token not in {None, shown}:
            await self._rotate(shown, str(token.refresh_token))
        given = frozenset({token.refresh_token or ""})
        return replace(
            proof, secrets=given, made_at=made_at, good_until=None if token.seconds is None else made_at + token.seconds
        )

    async def _granted(self, secret: Mapping[str, str]) -> tuple[Token, Mapping[str, str]]:
        """Return a token, and the credential that it was given for: another process may have renewed it meanwhile."""
        now = time.time()
        try:
            asked = token_request(self._auth, secret, self._ways.base_url, now=now)
            return token_in(*await _in_time(self._ways.ask(asked))), secret
        except Refused:
            kept = await self._opened()
            if self._rotated is not None or kept.get("refresh_token") == secret.get("refresh_token"):
                raise
        again = token_request(self._auth, kept, self._ways.base_url, now=now)
        return token_in(*await _in_time(self._ways.ask(again))), kept

    async def _rotate(self, old: str, new: str) -> None:
        # remembered here as well: if it cannot be kept, it is still the only one that the system accepts
        kept = old if self._rotated is None or self._rotated[1] != old else self._rotated[0]
        self._rotated = (kept, new)
        if self._ways.keep is not None:
            await self._ways.keep(kept, new)
            self._rotated = None

    def _pause(self) -> None:
        if self._refused_at is not None and time.monotonic() - self._refused_at < PAUSE_SECONDS:
            raise Unavailable("The system refused the hub's login a moment ago; check the connection's credential.")


def _heard(making: "asyncio.Task[Proof]") -> None:
    if not making.cancelled():
        making.exception()


async def _in_time(asked: Awaitable[Answer]) -> Answer:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await asked
    except TimeoutError:
        raise Unavailable("The system did not let the hub in in time. Nothing else was sent.") from None


def _what_to_do(reason: str) -> str:
    if reason == "invalid_grant":
        return "The system no longer accepts what the hub was granted; the connection's owner must grant it again."
    because = f" ({reason})" if reason else ""
    return f"The system gave the hub no token{because}; check the connection's credential."


def _sendable(headers: Mapping[str, str]) -> Proof:
    """Return `headers` as a proof, unless a value could break out of its header or an error could show it."""
    if not all(value.isascii() and value.isprintable() for value in headers.values()):
        raise Unavailable("The connection's credential holds characters that no header can carry; enter it again.")
    return Proof(headers=headers)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _part(name: str, secret: Mapping[str, str], answer: Json) -> str:
    if not name.startswith("/"):
        return secret[name]
    found = resolve(answer, name)
    if found is None or isinstance(found, dict | list):
        raise LookupError(name)
    return str(found)


def _filled(template: Json, value_of: Callable[[str], str]) -> Json:
    """Return `template` with every `{name}` in its texts replaced; values are put in as text, never parsed."""
    if isinstance(template, str):
        return _PLACEHOLDER.sub(lambda match: value_of(match.group(1)), template)
    if isinstance(template, dict):
        return {key: _filled(value, value_of) for key, value in template.items()}  # pyright: ignore[reportUnknownVariableType]  # JSON
    if isinstance(template, list):
        return [_filled(value, value_of) for value in template]  # pyright: ignore[reportUnknownVariableType]  # JSON
    return template
