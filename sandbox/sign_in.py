"""Signing in to a system: the headers that prove who the hub is, made from secrets that never leave the broker."""

import base64
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import anyio
import httpx2

from connectors.sdk.errors import Unavailable
from connectors.sdk.pointer import resolve
from connectors.sdk.spec import AuthSpec

Json = Any
"""Any JSON value."""

Secrets = Callable[[], Awaitable[Mapping[str, str]]]
"""Opens the connection's credential; called only when it is needed."""

_PLACEHOLDER: Final = re.compile(r"\{([^{}]+)\}")


class SignIn:
    """The headers of one connection. A session is made on first need and renewed when the system forgets it."""

    def __init__(self, auth: AuthSpec, secrets: Secrets) -> None:
        self._auth = auth
        self._secrets = secrets
        self._session: dict[str, str] | None = None
        self._turn = anyio.Lock()

    async def headers(self, client: httpx2.AsyncClient, base_url: str) -> dict[str, str]:
        """Return the headers to send with a request.

        Raises:
            Unavailable: the system does not let the hub in; nothing was sent.
        """
        if self._auth.kind == "none":
            return {}
        if self._auth.kind != "session_login":
            return self._static(await self._opened())
        async with self._turn:
            if self._session is None:
                self._session = await self._log_in(client, base_url)
            return dict(self._session)

    def forget_session(self) -> None:
        """Log in again before the next request: the system no longer knows the session."""
        self._session = None

    async def _opened(self) -> Mapping[str, str]:
        secret = await self._secrets()
        missing = sorted(set(self._auth.secret_fields) - secret.keys())
        if missing:
            raise Unavailable(f"The connection has no {', '.join(missing)}; its owner must enter the credential.")
        return secret

    def _static(self, secret: Mapping[str, str]) -> dict[str, str]:
        match self._auth.kind:
            case "bearer":
                return {"authorization": f"Bearer {secret['token']}"}
            case "basic":
                pair = base64.b64encode(f"{secret['username']}:{secret['password']}".encode()).decode()
                return {"authorization": f"Basic {pair}"}
            case _:
                parameters = self._auth.parameters
                return {parameters.get("header", "x-api-key").lower(): parameters.get("prefix", "") + secret["key"]}

    async def _log_in(self, client: httpx2.AsyncClient, base_url: str) -> dict[str, str]:
        """Post the login and make the header of its answer (see `AuthSpec` for the parameters)."""
        parameters, secret = self._auth.parameters, await self._opened()
        body = _filled(json.loads(parameters["body"]), lambda name: secret[name])
        try:
            answer = await client.post(f"{base_url}{parameters.get('path', '')}", json=body)
            answer.raise_for_status()
            said = answer.json()
            credentials = _filled(parameters["credentials"], lambda name: _part(name, secret, said))
        except (httpx2.HTTPError, ValueError, KeyError) as error:
            raise Unavailable("The system did not let the hub sign in; check the connection's credential.") from error
        encoded = base64.b64encode(str(credentials).encode()).decode()
        return {parameters.get("header", "authorization").lower(): f"{parameters['scheme']} {encoded}"}


def _part(name: str, secret: Mapping[str, str], answer: Json) -> str:
    if not name.startswith("/"):
        return secret[name]
    found = resolve(answer, name)
    if not isinstance(found, str | int):
        raise KeyError(name)
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
