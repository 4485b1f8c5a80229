"""My passkeys: the screens that enrol and remove them, and the proof by one that makes a login fresh."""

from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from hub.audit import EventKind
from hub.core.errors import Conflict, FreshLoginNeeded, InputError
from hub.identity.known_browsers import marked
from hub.identity.logins import LoggedIn
from hub.identity.passkeys import (
    Answered,
    Ceremony,
    NewPasskey,
    Passkey,
    enrol,
    offer_enrolment,
    passkeys_of,
    prove,
    remove,
    renew,
    site_of,
)
from hub.identity.sessions import local_path
from hub.storage import now
from hub.web.login import fresh_form, with_session
from hub.web.moments import At, at
from hub.web.visits import Shown, Visit, redirect, redirect_telling, show

_AGAIN = "/fresh-login?next=/passkeys"
_NO_NAME = "Browsers know no passkeys for a hub that is reached by a bare address."


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyLine:
    """One passkey of the visitor."""

    id: str
    name: str
    enrolled: At
    used: At | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeysPage:
    """Every passkey of the visitor, and the form for another one, unless browsers know none for this hub's address."""

    lines: tuple[PasskeyLine, ...]
    ceremony: Ceremony | None
    name: str = ""
    problem: str = ""


async def show_passkeys(visit: Visit) -> Response:
    """Show one's own passkeys."""
    return await _shown(visit)


async def add_passkey(visit: Visit) -> Response:
    """Enrol the passkey that the browser has just made."""
    site = site_of(visit.runtime.public_url)
    if site is None:
        return await _shown(visit, problem=_NO_NAME)
    wanted = NewPasskey(name=visit.form.one("name"), answered=_answered(visit))
    try:
        async with visit.runtime.database.transaction() as tx:
            await enrol(tx, visit.session, site, wanted, visit.own_authority)
    except FreshLoginNeeded:
        return redirect(_AGAIN)
    except (InputError, Conflict) as error:
        return await _shown(visit, problem=error.message)
    told = "The passkey is enrolled. From now on it makes your fresh logins, and your password does not."
    return redirect_telling(visit, "/passkeys", told)


async def remove_passkey(visit: Visit) -> Response:
    """Take one of one's own passkeys away."""
    try:
        async with visit.runtime.database.transaction() as tx:
            await remove(tx, visit.session, visit.request.path_params["passkey_id"], visit.own_authority)
    except FreshLoginNeeded:
        return redirect(_AGAIN)
    return redirect_telling(visit, "/passkeys", "The passkey is removed.")


async def submit_proof(visit: Visit) -> Response:
    """Put a session that a passkey proved in the place of the old one, and go back to what needed it."""
    wanted, site = local_path(visit.form.one("next")), site_of(visit.runtime.public_url)
    if site is None:
        return await fresh_form(visit, wanted, problem=_NO_NAME, status=400)
    runtime, authority = visit.runtime, visit.own_authority
    facts = {"source": visit.source, "proof": "passkey"}
    try:
        async with runtime.database.transaction() as tx:
            await prove(tx, visit.session, site, _answered(visit), authority)
            cookie = await renew(tx, visit.session, visit.cookie or "")
            mark = await marked(tx, runtime.keys, visit.mark, visit.person.id)
            await authority.record(tx, EventKind.LOGIN_SUCCEEDED, visit.person.id, **facts)
    except InputError as error:
        async with runtime.database.transaction() as tx:
            await authority.record(tx, EventKind.LOGIN_FAILED, visit.person.id, **facts)
        return await fresh_form(visit, wanted, problem=error.message, status=401)
    return with_session(visit, redirect(wanted), LoggedIn(principal=visit.person, cookie=cookie, mark=mark))


async def _shown(visit: Visit, *, problem: str = "") -> Response:
    site = site_of(visit.runtime.public_url)
    async with visit.runtime.database.reading() as tx:
        found, moment = await passkeys_of(tx, visit.person.id), await now(tx)
        ceremony = None if site is None else await offer_enrolment(tx, visit.runtime.keys, visit.session, site)
    lines = tuple(_line(one, moment) for one in found)
    page = PasskeysPage(lines=lines, ceremony=ceremony, name=visit.form.one("name"), problem=problem)
    status = 400 if problem else 200
    return show(visit, Shown(template="passkeys.html", title="My passkeys", page=page, status=status))


def _line(one: Passkey, moment: datetime) -> PasskeyLine:
    used = None if one.used_at is None else at(one.used_at, now=moment)
    return PasskeyLine(id=one.id, name=one.name, enrolled=at(one.enrolled_at, now=moment), used=used)


def _answered(visit: Visit) -> Answered:
    return Answered(credential=visit.form.one("credential"), sealed=visit.form.one("sealed"))
