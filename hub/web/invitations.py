"""Invitations: the screen that shows an administrator somebody's link once, and the one that the link opens."""

from starlette.responses import Response

from hub.core.errors import InputError, NotFound
from hub.identity.invitations import Invitation, accept, invited
from hub.identity.principals import Principal
from hub.web.login import form_token, has_form_token, with_form_mark
from hub.web.views.entry import InvitationPage
from hub.web.views.operations import ErrorPage
from hub.web.views.people import NewLinkPage
from hub.web.visits import Guest, Shown, Visit, redirect, show

WELCOME = "/login?welcome=yes"


def show_link(visit: Visit, person: Principal, invitation: Invitation) -> Response:
    """Show somebody's link; the answer to a POST, since one that waited for the next GET would have to be kept."""
    until = invitation.expires_at
    view = NewLinkPage(
        id=person.id,
        name=person.name,
        link=invitation.link(visit.runtime.public_url),
        expires=f"{until.day} {until.strftime('%b %Y, %H:%M')} UTC",
    )
    return show(visit, Shown(template="new_link.html", title="New link", page=view, here="people"))


async def show_invitation(guest: Guest) -> Response:
    """Ask for the password; looking uses nothing up."""
    try:
        return await _form(guest)
    except NotFound as error:
        return _gone(guest, error)


async def submit_invitation(guest: Guest) -> Response:
    """Set the password, and let its person sign in with it: the link itself lets nobody in."""
    token, password = guest.request.path_params["token"], guest.form.one("password")
    try:
        if not has_form_token(guest):
            return await _form(guest, problem="This form had expired. Nothing was done; here is a new one.")
        if password != guest.form.one("again"):
            return await _form(guest, problem="The two passwords differ.")
        return await _accept(guest, token, password)
    except NotFound as error:
        return _gone(guest, error)


async def _accept(guest: Guest, token: str, password: str) -> Response:
    try:
        async with guest.runtime.database.transaction() as tx:
            await accept(tx, token, password, guest.authority(by=None), source=guest.source)
    except InputError as error:
        return await _form(guest, problem=error.message)
    return redirect(WELCOME)


def _gone(guest: Guest, error: NotFound) -> Response:
    page = ErrorPage(status=404, heading="This link does not work", message=error.message)
    return show(guest, Shown(template="error.html", title=page.heading, page=page, status=page.status))


async def _form(guest: Guest, *, problem: str = "") -> Response:
    token = guest.request.path_params["token"]
    async with guest.runtime.database.reading() as tx:
        person = await invited(tx, token)
    mark, tied = form_token(guest)
    page = InvitationPage(
        form_token=tied, link_token=token, name=person.name, display_name=person.display_name, problem=problem
    )
    shown = Shown(template="invitation.html", title="Set your password", page=page, status=400 if problem else 200)
    return with_form_mark(guest, show(guest, shown), mark)
