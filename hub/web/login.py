"""Login, logout, and the password once more: the screens that open, renew and end a session."""

import secrets
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from hub.core.errors import Malformed
from hub.identity.bootstrap import has_users
from hub.identity.foreign_people import identities_of
from hub.identity.known_browsers import LIFETIME, mark_cookie_name
from hub.identity.logins import LoggedIn, Login, LoginRefused, has_password, log_in
from hub.identity.passkeys import offer_proof, site_of
from hub.identity.sessions import close_session, cookie_name, local_path
from hub.storage import Tx
from hub.web.views.entry import FreshLoginPage, LoginPage, LoginWay
from hub.web.visits import Guest, Shown, Visit, redirect, show

FORM_COOKIE: Final = "hub_form"
FORM_SECONDS: Final = 3600
_PURPOSE: Final = "web form before login"
_WHY: Final = "What you are about to decide asks for a login that is younger than yours."
_BY_PASSKEY: Final = "You have enrolled a passkey, and a password makes no fresh login any more."
_EXPIRED: Final = "This form had expired. Nothing was done; here is a new one."


async def show_login(guest: Guest) -> Response:
    """Show the login form."""
    asked = guest.request.query_params
    async with guest.runtime.database.reading() as tx:
        is_empty = not await has_users(tx)
    page = LoginPage(form_token="", next=local_path(asked.get("next")), is_empty_hub=is_empty)
    return login_form(guest, replace(page, is_first_visit="welcome" in asked and not is_empty))


async def submit_login(guest: Guest) -> Response:
    """Log somebody in and send them where they wanted to go."""
    wanted, name = local_path(guest.form.one("next")), guest.form.one("name")
    if not has_form_token(guest):
        return login_form(guest, LoginPage(form_token="", next=wanted, name=name, problem=_EXPIRED), status=400)
    match await log_in(guest.runtime.database, guest.runtime.keys, attempt(guest, name, "password")):
        case LoggedIn() as logged_in:
            return with_session(guest, redirect(wanted), logged_in)
        case LoginRefused() as refused:
            page = LoginPage(form_token="", next=wanted, name=name, problem=refused.message)
            return login_form(guest, page, status=_status(refused), refused=refused)


async def log_out(visit: Visit) -> Response:
    """End the session."""
    async with visit.runtime.database.transaction() as tx:
        await close_session(tx, visit.cookie or "")
    response = redirect("/login")
    response.delete_cookie(cookie_name(visit.runtime.public_url), path="/", secure=visit.is_secure, httponly=True)
    return response


async def show_fresh_login(visit: Visit) -> Response:
    """Ask for the password once more."""
    wanted = local_path(visit.request.query_params.get("next"))
    return await fresh_form(visit, wanted, problem="")


async def submit_fresh_login(visit: Visit) -> Response:
    """Put a new session in the place of the old one, and go back to what needed it."""
    wanted = local_path(visit.form.one("next"))
    if visit.session.has_passkey:
        return await fresh_form(visit, wanted, problem=_BY_PASSKEY, status=400)
    match await log_in(visit.runtime.database, visit.runtime.keys, attempt(visit, visit.person.name, "password")):
        case LoggedIn() as logged_in:
            return with_session(visit, redirect(wanted), logged_in)
        case LoginRefused() as refused:
            return await fresh_form(visit, wanted, problem=refused.message, status=_status(refused))


def form_token(guest: Guest) -> tuple[str, str]:
    """Return the browser's mark, for its cookie, and the token that ties a form to it."""
    mark = guest.request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)
    return mark, guest.runtime.keys.seal({"mark": mark}, purpose=_PURPOSE, seconds=FORM_SECONDS)


def has_form_token(guest: Guest) -> bool:
    """Return whether the form that came was made for this browser, lately (a login forged elsewhere is refused)."""
    mark = guest.request.cookies.get(FORM_COOKIE)
    try:
        sealed = guest.runtime.keys.unseal(guest.form.one("form_token"), purpose=_PURPOSE)
    except Malformed:
        return False
    return mark is not None and secrets.compare_digest(str(sealed["mark"]).encode(), mark.encode())


def with_form_mark(guest: Guest, response: Response, mark: str) -> Response:
    """Give the browser its mark along with the form that is tied to it."""
    response.set_cookie(FORM_COOKIE, mark, path="/", secure=guest.is_secure, httponly=True, samesite="strict")
    return response


def attempt(guest: Guest, name: str, field: str) -> Login:
    """Return the attempt to log in as `name` with the password in `field` of the form, from this very browser."""
    password = guest.form.one(field)
    return Login(name=name, password=password, source=guest.source, replaces=guest.cookie, mark=guest.mark)


def with_session(guest: Guest, response: Response, logged_in: LoggedIn) -> Response:
    """Give the browser its session, which ends with it or earlier by the hub's own clock, and its lasting mark."""
    public_url, seconds = guest.runtime.public_url, int(LIFETIME.total_seconds())
    response.set_cookie(
        cookie_name(public_url), logged_in.cookie, path="/", secure=guest.is_secure, httponly=True, samesite="lax"
    )
    response.set_cookie(
        mark_cookie_name(public_url),
        logged_in.mark,
        max_age=seconds,
        path="/",
        secure=guest.is_secure,
        httponly=True,
        samesite="lax",
    )
    return response


def login_form(guest: Guest, page: LoginPage, *, status: int = 200, refused: LoginRefused | None = None) -> Response:
    """Return the login form, tied to this browser, with every way to sign in and what stood against the last try."""
    mark, token = form_token(guest)
    ways = tuple(
        LoginWay(action=f"/login/{link.issuer.name}?{urlencode({'next': page.next})}", title=link.issuer.title)
        for link in guest.runtime.issuers
    )
    filled = replace(page, form_token=token, ways=ways)
    response = show(guest, Shown(template="login.html", title="Sign in", page=filled, status=status))
    if refused is not None and refused.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(refused.retry_after_seconds)
    return with_form_mark(guest, response, mark)


async def fresh_form(visit: Visit, wanted: str, *, problem: str, status: int = 200) -> Response:
    """Return the form for a fresh login: by a passkey for whoever has one, else by whatever proves who they are."""
    async with visit.runtime.database.reading() as tx:
        page = await (_passkey_page if visit.session.has_passkey else _password_page)(tx, visit, wanted)
    shown = replace(page, problem=problem)
    return show(visit, Shown(template="fresh_login.html", title="Sign in once more", page=shown, status=status))


async def _passkey_page(tx: Tx, visit: Visit, wanted: str) -> FreshLoginPage:
    site = site_of(visit.runtime.public_url)
    ceremony = None if site is None else await offer_proof(tx, visit.runtime.keys, visit.session, site)
    return FreshLoginPage(name=visit.person.name, next=wanted, why=_WHY, by_passkey=True, ceremony=ceremony)


async def _password_page(tx: Tx, visit: Visit, wanted: str) -> FreshLoginPage:
    known = {one.issuer for one in await identities_of(tx, visit.person.id)}
    by_password = await has_password(tx, visit.person.id)
    ways = tuple(
        LoginWay(action=f"/fresh-login/{link.issuer.name}?{urlencode({'next': wanted})}", title=link.issuer.title)
        for link in visit.runtime.issuers
        if link.issuer.issuer in known
    )
    return FreshLoginPage(name=visit.person.name, next=wanted, why=_WHY, ways=ways, by_password=by_password or not ways)


def _status(refused: LoginRefused) -> int:
    return 429 if refused.retry_after_seconds is not None else 401
