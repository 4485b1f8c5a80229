"""Signing in at an external issuer: the way there, the way back, and what is told when it does not work.

The ways there are links: they change nothing here, and a form could not lead to another site under the pages' policy.
"""

from typing import Final

from starlette.responses import RedirectResponse, Response

from hub.audit import EventKind
from hub.core.errors import NotFound, Unauthenticated, Unavailable
from hub.identity.authority import Authority
from hub.identity.foreign_login import JOURNEY_SECONDS, Arrived, Journey, address_of, arrive, journey_in, set_out
from hub.identity.foreign_people import welcome
from hub.identity.issuer_keys import IssuerLink
from hub.identity.logins import LoggedIn, enter
from hub.identity.principals import Principal
from hub.identity.sessions import close_session, local_path
from hub.storage import Tx, now
from hub.web.headers import page_headers
from hub.web.login import login_form, with_session
from hub.web.views.entry import LoginPage
from hub.web.visits import Guest, Visit, redirect

COOKIE: Final = "hub_journey"
LONGEST_COOKIE: Final = 4096
"""Its name and value together: browsers drop longer ones (RFC 6265 section 6.1)."""
_PATH: Final = "/login"


async def go_to_issuer(guest: Guest) -> Response:
    """Send the browser to an issuer to log in there."""
    wanted = local_path(guest.request.query_params.get("next"))
    return await _go(guest, set_out(_link(guest).issuer.name, to=wanted))


async def go_to_issuer_again(visit: Visit) -> Response:
    """Send the browser to an issuer to log in once more, for what asks for a login younger than the session's."""
    wanted = local_path(visit.request.query_params.get("next"))
    return await _go(visit, set_out(_link(visit).issuer.name, to=wanted, person_id=visit.person.id))


async def come_back(guest: Guest) -> Response:
    """Log in whom the issuer names, if that is somebody who may enter."""
    link, runtime = _link(guest), guest.runtime
    try:
        journey = journey_in(guest.request.cookies.get(COOKIE), runtime.keys, link.issuer.name)
        async with runtime.database.reading() as tx:
            at = await now(tx)
        answer = dict(guest.request.query_params)
        arrived = await arrive(link, journey, answer, redirect_uri=_back(guest, link), at=at)
        async with runtime.database.transaction() as tx:
            logged_in = await _enter(tx, guest, link, journey, arrived)
    except (Unauthenticated, Unavailable) as error:
        return _refused(guest, error.message, status=401)
    if logged_in is None:
        problem = f"{link.issuer.title} knows you, but you have no account here. Ask an administrator of this hub."
        return _refused(guest, problem, status=403)
    return _without_journey(guest, with_session(guest, redirect(journey.next), logged_in))


async def _enter(tx: Tx, guest: Guest, link: IssuerLink, journey: Journey, arrived: Arrived) -> LoggedIn | None:
    """Open a session, in the place of the one the browser had; None for somebody who may not enter, on record."""
    runtime, issuer = guest.runtime, link.issuer.issuer
    nobody = Authority(database=runtime.database, keys=runtime.keys, trace_id=guest.trace_id)
    person = await welcome(tx, link.issuer, arrived.claims, nobody)
    if person is None or journey.person_id not in {None, person.id}:
        subject = "unknown" if person is None else person.id
        await nobody.record(tx, EventKind.LOGIN_FAILED, subject, source=guest.source, issuer=issuer)
        return None
    if guest.cookie is not None:
        await close_session(tx, guest.cookie)
    await _by(nobody, person).record(tx, EventKind.LOGIN_SUCCEEDED, person.id, source=guest.source, issuer=issuer)
    return await enter(tx, runtime.keys, person, guest.mark, authenticated_at=arrived.authenticated_at)


def _by(authority: Authority, person: Principal) -> Authority:
    return Authority(database=authority.database, keys=authority.keys, by=person.id, trace_id=authority.trace_id)


async def _go(guest: Guest, journey: Journey) -> Response:
    link, kept = _link(guest), journey.sealed(guest.runtime.keys)
    if len(f"{COOKIE}={kept}") > LONGEST_COOKIE:
        return _too_long(guest, link)
    try:
        address = await address_of(link, journey, _back(guest, link))
    except Unavailable as error:
        return login_form(guest, LoginPage(form_token="", next=journey.next, problem=error.message), status=503)
    headers = {**page_headers(is_secure=guest.is_secure), "Referrer-Policy": "no-referrer"}
    response = RedirectResponse(address, status_code=303, headers=headers)
    response.set_cookie(
        COOKIE,
        kept,
        max_age=JOURNEY_SECONDS,
        path=_PATH,
        secure=guest.is_secure,
        httponly=True,
        samesite="lax",
    )
    return response


def _too_long(guest: Guest, link: IssuerLink) -> Response:
    problem = (
        f"What you were on the way to cannot be kept while you are at {link.issuer.title}: its address is too long. "
    )
    then = "Sign in there now, and open it once more when you are back."
    return login_form(guest, LoginPage(form_token="", next="/", problem=problem + then), status=400)


def _refused(guest: Guest, problem: str, *, status: int) -> Response:
    page = LoginPage(form_token="", next="/", problem=problem)
    return _without_journey(guest, login_form(guest, page, status=status))


def _without_journey(guest: Guest, response: Response) -> Response:
    response.delete_cookie(COOKIE, path=_PATH, secure=guest.is_secure, httponly=True)
    return response


def _link(guest: Guest) -> IssuerLink:
    found = guest.runtime.issuers.find(guest.request.path_params["issuer"])
    if found is None:
        raise NotFound("There is no such way to sign in.")
    return found


def _back(guest: Guest, link: IssuerLink) -> str:
    return f"{guest.runtime.public_url.rstrip('/')}{_PATH}/{link.issuer.name}/back"
