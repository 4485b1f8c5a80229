"""One request of one person: session, form and chrome; what stands before and after every screen's own work."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final
from urllib.parse import urlencode

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from hub.budgets import owns_anything
from hub.core.errors import Forbidden, HubError, NotFound
from hub.core.tracing import trace_id_of
from hub.identity.acting import is_anybody_acting_for
from hub.identity.authority import Authority
from hub.identity.directory import agents_of
from hub.identity.known_browsers import mark_cookie_name
from hub.identity.permissions import Permission, may
from hub.identity.principals import Principal
from hub.identity.sessions import WebSession, cookie_name, session_of, touch_session
from hub.invocations.queries import asked_for
from hub.invocations.resolve import count_doubts
from hub.invocations.runtime import Runtime
from hub.web.forms import MAX_BODY, Form, check_address, check_origin, read_form
from hub.web.headers import page_headers
from hub.web.menu import menu_of
from hub.web.notices import Desk, Notice
from hub.web.problems import UNSEEN, problem_page
from hub.web.rendering import Chrome, Viewer, render

_LOG: Final = structlog.get_logger(__name__)
POLLING: Final = frozenset({"inbox"})
"""Ids of elements that ask again by themselves: nobody is there, so they do not keep a session alive."""
_NO_FORM: Final = Form(fields={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A request from somebody who need not be known."""

    request: Request
    runtime: Runtime
    form: Form
    trace_id: str

    @property
    def is_secure(self) -> bool:
        """Whether the hub is reached over https."""
        return self.runtime.public_url.startswith("https:")

    @property
    def cookie(self) -> str | None:
        """The value of the session cookie that came along."""
        return self.request.cookies.get(cookie_name(self.runtime.public_url))

    @property
    def mark(self) -> str | None:
        """The value of the cookie by which this browser is known."""
        return self.request.cookies.get(mark_cookie_name(self.runtime.public_url))

    @property
    def source(self) -> str | None:
        """The address the request came from."""
        return self.request.client.host if self.request.client else None

    def authority(self, *, by: str | None) -> Authority:
        """Return what changes made by this request are recorded with."""
        return Authority(database=self.runtime.database, keys=self.runtime.keys, by=by, trace_id=self.trace_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit(Guest):
    """A request from somebody who has logged in."""

    session: WebSession
    waiting: int = 0
    doubts: int = 0
    owns_things: bool = False
    has_agents: bool = False
    has_slack: bool = False

    @property
    def person(self) -> Principal:
        """Who it is."""
        return self.session.principal

    @property
    def proof(self) -> str:
        """What makes a fresh login of this person, in words."""
        return "your passkey" if self.session.has_passkey else "your password"

    @property
    def notices(self) -> Desk:
        """Where notices for this person are left."""
        return Desk(keys=self.runtime.keys, person_id=self.person.id, is_secure=self.is_secure)

    @property
    def own_authority(self) -> Authority:
        """What this person's own changes are recorded with."""
        return self.authority(by=self.person.id)


GuestScreen = Callable[[Guest], Awaitable[Response]]
Screen = Callable[[Visit], Awaitable[Response]]
Counter = Callable[[Runtime, Principal], Awaitable[int]]
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorway:
    """What screens are reached through; `waiting` counts the questions that wait for somebody.

    `has_slack` is whether the hub has an app in Slack.
    """

    runtime: Runtime
    waiting: Counter
    has_slack: bool = False

    def public(self, screen: GuestScreen) -> Endpoint:
        """Return the endpoint of a screen that anybody may see."""
        return partial(self._answer, partial(self._for_guest, screen))

    def private(self, screen: Screen, *, longest: int = MAX_BODY) -> Endpoint:
        """Return the endpoint of a screen for people who have logged in; others are sent to the login.

        `longest` bounds its form, in bytes.
        """
        return partial(self._answer, partial(self._for_person, screen), longest=longest)

    async def lost(self, request: Request, _error: Exception) -> Response:
        """Answer for addresses that no door knows: a page for browsers, a line for everybody else.

        It is the application's handler for 404. Whoever is logged in finds the way from there.
        """
        if "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse("Not Found", status_code=404)
        guest = self._guest(request)
        async with self.runtime.database.reading() as tx:
            session = await session_of(tx, guest.cookie)
        viewer = None if session is None else viewer_of(await self._visit(guest, session))
        return problem_page(NotFound(UNSEEN), is_secure=guest.is_secure, viewer=viewer)

    def _guest(self, request: Request) -> Guest:
        return Guest(request=request, runtime=self.runtime, form=_NO_FORM, trace_id=_trace_id(request))

    async def _answer(self, screen: GuestScreen, request: Request, *, longest: int = MAX_BODY) -> Response:
        guest = self._guest(request)
        try:
            check_address(request)
            if request.method == "POST":
                check_origin(request, self.runtime.public_url)
                guest = replace(guest, form=await read_form(request, longest=longest))
            return await screen(guest)
        except HubError as error:
            return problem_page(error, is_secure=guest.is_secure)
        except ClientDisconnect:
            raise
        except Exception:  # noqa: BLE001  # a door: logged with its trace id, answered in words
            # a path may hold a secret, such as the link of the first administrator
            _LOG.exception("page failed", page=request.url.path.split("/")[1], trace_id=guest.trace_id)
            return problem_page(None, is_secure=guest.is_secure, trace_id=guest.trace_id)

    async def _for_guest(self, screen: GuestScreen, guest: Guest) -> Response:
        return await screen(guest)

    async def _for_person(self, screen: Screen, guest: Guest) -> Response:
        async with self.runtime.database.reading() as tx:
            session = await session_of(tx, guest.cookie)
        if session is None:
            return to_login(guest.request)
        if guest.request.method == "POST" and not session.accepts(guest.form.one("csrf_token")):
            raise Forbidden("This form has expired or was not ours. Load the page again. Nothing was changed.")
        if session.needs_touch and guest.request.headers.get("hx-trigger") not in POLLING:
            async with self.runtime.database.transaction() as tx:
                await touch_session(tx, session.id)
        visit = await self._visit(guest, session)
        try:
            return await screen(visit)
        except HubError as error:
            return problem_page(error, is_secure=guest.is_secure, viewer=viewer_of(visit))

    async def _visit(self, guest: Guest, session: WebSession) -> Visit:
        async with self.runtime.database.reading() as tx:
            owns_things = await owns_anything(tx, session.principal.id)
            asked = await asked_for(tx, session.principal.id)
            owned = await agents_of(tx, session.principal.id)
            has_agents = bool(owned) or await is_anybody_acting_for(tx, session.principal.id, asked)
            doubts = await count_doubts(tx) if may(session.principal, Permission.RESOLVE_DOUBTS) else 0
        return Visit(
            request=guest.request,
            runtime=guest.runtime,
            form=guest.form,
            trace_id=guest.trace_id,
            session=session,
            waiting=await self.waiting(self.runtime, session.principal),
            doubts=doubts,
            owns_things=owns_things,
            has_agents=has_agents,
            has_slack=self.has_slack,
        )


def _trace_id(request: Request) -> str:
    return trace_id_of(request.headers.get("traceparent"))


def to_login(request: Request) -> Response:
    """Send somebody to the login, and afterwards back to where they wanted to look; a form is never sent again."""
    if "hx-request" in request.headers:  # a part of a page asked: the whole page has to go
        return Response(status_code=204, headers={"HX-Redirect": "/login", "Cache-Control": "no-store"})
    wanted = request.url.path
    if request.method != "GET":
        return redirect("/login")
    if request.url.query:
        wanted = f"{wanted}?{request.url.query}"
    return redirect("/login" if wanted == "/" else f"/login?{urlencode({'next': wanted})}")


def redirect(path: str) -> Response:
    """Send the browser to a page, by GET, whatever it sent before."""
    return RedirectResponse(path, status_code=303, headers={"Cache-Control": "no-store"})


def redirect_telling(visit: Visit, path: str, notice: str, *, tone: str = "good") -> Response:
    """Send the browser to a page that tells, once, what came of the form."""
    return visit.notices.leave(redirect(path), Notice(text=notice, tone=tone))


def viewer_of(visit: Visit) -> Viewer:
    """Return what the header shows of whoever looks."""
    return Viewer(
        display_name=visit.person.display_name,
        csrf_token=visit.session.csrf_token,
        menu=menu_of(
            visit.person,
            waiting=visit.waiting,
            doubts=visit.doubts,
            owns_things=visit.owns_things,
            has_agents=visit.has_agents,
        ),
        has_slack=visit.has_slack,
        sees_waiting=may(visit.person, Permission.SEE_WAITING),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A page to show: its template, title, place in the navigation, typed view and, where it matters, status."""

    template: str
    title: str
    page: object
    here: str = ""
    status: int = 200
    form_target: str | None = None
    told_otherwise: Mapping[str, Notice] = field(default_factory=dict[str, Notice])
    """What is told in the place of a notice that is true no more by the time the page is shown, by its text."""


def show(guest: Guest, shown: Shown) -> Response:
    """Return the page, with its chrome for whoever looks and the headers every page has."""
    viewer = viewer_of(guest) if isinstance(guest, Visit) else None
    notice = guest.notices.left(guest.request) if isinstance(guest, Visit) else Notice()
    notice = shown.told_otherwise.get(notice.text, notice)
    chrome = Chrome(title=shown.title, viewer=viewer, here=shown.here, notice=notice.text, notice_tone=notice.tone)
    html = render(shown.template, chrome, shown.page)
    headers = page_headers(is_secure=guest.is_secure, form_target=shown.form_target)
    response = HTMLResponse(html, status_code=shown.status, headers=headers)
    if notice.text and isinstance(guest, Visit):
        guest.notices.clear(response)
    return response
