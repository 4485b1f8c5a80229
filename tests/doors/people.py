"""A hub with its API open, and people who are logged in to it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from doors.working_hub import PUBLIC_URL, WorkingHub
from hub.api import create_api
from hub.identity.sessions import SESSION_COOKIE, open_session, session_of
from hub.invocations.runtime import Runtime

API = "/api/v1"


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who is logged in; `get` and `send` speak of the paths of the API."""

    http: httpx2.AsyncClient
    cookie: str
    csrf_token: str

    async def get(self, path: str, **params: Any) -> httpx2.Response:  # noqa: ANN401  # query parameters of any kind
        """Look at something."""
        return await self.http.get(f"{API}{path}", params=params, headers=self.headers)

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:  # noqa: ANN401  # any JSON
        """Change something, with the session's CSRF token."""
        return await self.http.request(method, f"{API}{path}", json=body, headers={**self.headers, **headers})

    @property
    def headers(self) -> dict[str, str]:
        """The session's cookie and CSRF token."""
        return {"Cookie": f"{SESSION_COOKIE}={self.cookie}", "X-CSRF-Token": self.csrf_token}


LogIn = Callable[[str], Awaitable[Person]]


def is_problem(response: httpx2.Response, status: int, code: str) -> bool:
    """Return whether the answer is this problem, complete."""
    body = response.json()
    assert response.headers["content-type"] == "application/problem+json", response.text
    assert body["type"] == f"urn:toolhub:problem:{code}", body
    assert (response.status_code, body["status"], body["code"]) == (status, status, code), body
    return bool(body["detail"]) and bool(body["trace_id"]) and bool(body["title"])


def api_of(runtime: Runtime) -> tuple[Starlette, FastAPI]:
    """Return an application with the API where the hub has it, and the API itself."""
    api = create_api(runtime)
    return Starlette(routes=[Mount(API, api)]), api


@pytest.fixture
async def http(hub: WorkingHub) -> AsyncGenerator[httpx2.AsyncClient]:
    app, _ = api_of(hub.runtime)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=PUBLIC_URL) as client:
        yield client


@pytest.fixture
def log_in(hub: WorkingHub, http: httpx2.AsyncClient) -> LogIn:
    """Opens a session for one of the people, as a login would."""

    async def logged_in(name: str) -> Person:
        async with hub.database.transaction() as tx:
            cookie = await open_session(tx, hub.people[name].id)
            session = await session_of(tx, cookie)
        assert session is not None
        return Person(http=http, cookie=cookie, csrf_token=session.csrf_token)

    return logged_in
