"""The session of a person: logging in, who is logged in, logging out."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body, Depends
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hub.api.access import PERSON, Person, RuntimeParameter
from hub.api.problems import Trouble, problem
from hub.core.errors import Unauthenticated
from hub.identity.known_browsers import LIFETIME, mark_cookie_name
from hub.identity.logins import LoggedIn, Login, LoginRefused, log_in
from hub.identity.own_password import change_own_password
from hub.identity.principals import Principal
from hub.identity.sessions import WebSession, close_session, cookie_name, session_of
from hub.invocations.runtime import Runtime

router = APIRouter(prefix="/session", tags=["session"])


class NewSession(BaseModel):
    """A name and a password."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "ada", "password": "..."}]})

    name: str = Field(min_length=1, max_length=64)
    password: SecretStr = Field(max_length=1024)


class PasswordChange(BaseModel):
    """The password that was good until now, and the one to use from now on."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"current": "...", "new": "..."}]})

    current: SecretStr = Field(max_length=1024)
    new: SecretStr = Field(max_length=1024)


class SessionView(BaseModel):
    """Who is logged in, since when, and the token that changes must carry."""

    principal_id: str
    name: str
    display_name: str
    roles: list[str]
    groups: list[str]
    authenticated_at: datetime = Field(
        description="The last proof that counts as a login when a fresh one is asked for."
    )
    has_passkey: bool = Field(description="Whether a fresh login is one by passkey, on the hub's pages, and no other.")
    csrf_token: str


@router.post(
    "",
    operation_id="logIn",
    summary="Log in",
    status_code=201,
    response_model=SessionView,
    openapi_extra={"security": []},
)
async def log_in_here(request: Request, runtime: RuntimeParameter, wanted: Annotated[NewSession, Body()]) -> Response:
    """Open a session and set its cookie. With the cookie of a session it is a fresh login: a new one replaces it.

    Whoever has a passkey logs in here too, but not freshly: for that, the passkey is asked on the hub's pages.
    """
    outcome = await log_in(runtime.database, runtime.keys, _attempt(request, runtime, wanted.name, wanted.password))
    if isinstance(outcome, LoginRefused):
        return _refused(request, outcome)
    return await _opened(runtime, outcome, status=201)


@router.get("", operation_id="getSession", summary="Who is logged in")
async def current_session(acting: Person) -> SessionView:
    """Return the session at hand, with its CSRF token."""
    return view(_session(acting.session), acting.principal)


@router.put(
    "/password", operation_id="changeOwnPassword", summary="Change one's own password", response_model=SessionView
)
async def change_password(
    request: Request, runtime: RuntimeParameter, acting: Person, wanted: Annotated[PasswordChange, Body()]
) -> Response:
    """Set a new password, given the old one: a new session replaces this one; all others end, and all tokens."""
    login = _attempt(request, runtime, acting.principal.name, wanted.current)
    outcome = await change_own_password(runtime.database, runtime.keys, login, wanted.new.get_secret_value())
    if isinstance(outcome, LoginRefused):
        return _refused(request, outcome)
    return await _opened(runtime, outcome, status=200)


def _attempt(request: Request, runtime: Runtime, name: str, password: SecretStr) -> Login:
    return Login(
        name=name,
        password=password.get_secret_value(),
        source=request.client.host if request.client else None,
        replaces=request.cookies.get(cookie_name(runtime.public_url)),
        mark=request.cookies.get(mark_cookie_name(runtime.public_url)),
    )


async def _opened(runtime: Runtime, outcome: LoggedIn, *, status: int) -> Response:
    async with runtime.database.reading() as tx:
        opened = await session_of(tx, outcome.cookie)
    if opened is None:
        raise Unauthenticated("The session has ended already; log in again.")
    response = JSONResponse(view(opened, opened.principal).model_dump(mode="json"), status_code=status)
    _set_cookies(response, runtime.public_url, outcome)
    return response


@router.delete("", operation_id="logOut", summary="Log out", status_code=204, dependencies=[Depends(PERSON)])
async def log_out(request: Request, runtime: RuntimeParameter) -> Response:
    """End the session at hand."""
    name = cookie_name(runtime.public_url)
    async with runtime.database.transaction() as tx:
        await close_session(tx, request.cookies.get(name, ""))
    response = Response(status_code=204)
    response.delete_cookie(
        name, path="/", httponly=True, samesite="lax", secure=runtime.public_url.startswith("https:")
    )
    return response


def view(session: WebSession, principal: Principal) -> SessionView:
    """Return what a person may know of its own session."""
    return SessionView(
        principal_id=principal.id,
        name=principal.name,
        display_name=principal.display_name,
        roles=sorted(principal.roles),
        groups=sorted(principal.groups),
        authenticated_at=session.authenticated_at,
        has_passkey=session.has_passkey,
        csrf_token=session.csrf_token,
    )


def _set_cookies(response: Response, public_url: str, logged_in: LoggedIn) -> None:
    """Give the session's cookie, and the one by which the browser is known for longer."""
    is_secure, seconds = public_url.startswith("https:"), int(LIFETIME.total_seconds())
    for name, value, max_age in (
        (cookie_name(public_url), logged_in.cookie, None),
        (mark_cookie_name(public_url), logged_in.mark, seconds),
    ):
        response.set_cookie(name, value, max_age=max_age, path="/", httponly=True, samesite="lax", secure=is_secure)


def _session(session: WebSession | None) -> WebSession:
    if session is None:  # a person's only credential here is a session
        raise TypeError("a person came in without a session")
    return session


def _refused(request: Request, refused: LoginRefused) -> Response:
    if refused.retry_after_seconds is None:
        return problem(request, Trouble(status=401, code="login_refused", detail=refused.message))
    later = {"Retry-After": str(refused.retry_after_seconds)}
    return problem(request, Trouble(status=429, code="too_many_attempts", detail=refused.message, headers=later))
