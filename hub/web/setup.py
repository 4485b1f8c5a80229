"""The first administrator: the screen behind the one-time link that an empty hub prints."""

from starlette.responses import Response

from hub.core.errors import Conflict, InputError, NotFound
from hub.identity.accounts import NewUser
from hub.identity.bootstrap import create_first_administrator, is_offered
from hub.identity.logins import enter
from hub.web.login import form_token, has_form_token, with_form_mark, with_session
from hub.web.views.entry import FirstAdministratorPage
from hub.web.visits import Guest, Shown, redirect, show

_GONE = "This link does not work any more."


async def show_setup(guest: Guest) -> Response:
    """Show the form that makes the first administrator; looking at it uses nothing up."""
    link = guest.request.path_params["token"]
    async with guest.runtime.database.reading() as tx:
        if not await is_offered(tx, link):
            raise NotFound(_GONE)
    return _form(guest, FirstAdministratorPage(form_token="", link_token=link))


async def submit_setup(guest: Guest) -> Response:
    """Make the first administrator and log them in."""
    link, form = guest.request.path_params["token"], guest.form
    typed = FirstAdministratorPage(
        form_token="", link_token=link, name=form.one("name"), display_name=form.one("display_name")
    )
    if not has_form_token(guest):
        return _form(guest, typed, problem="This form had expired. Nothing was done; here is a new one.")
    if form.one("password") != form.one("again"):
        return _form(guest, typed, problem="The two passwords differ.")
    new = NewUser(name=typed.name, display_name=typed.display_name, password=form.one("password"))
    try:
        async with guest.runtime.database.transaction() as tx:
            first = await create_first_administrator(tx, link, new, guest.authority(by=None))
            logged_in = await enter(tx, guest.runtime.keys, first, guest.mark)
    except (InputError, Conflict) as error:
        return _form(guest, typed, problem=error.message)
    return with_session(guest, redirect("/people"), logged_in)


def _form(guest: Guest, page: FirstAdministratorPage, *, problem: str = "") -> Response:
    mark, token = form_token(guest)
    filled = FirstAdministratorPage(
        form_token=token,
        link_token=page.link_token,
        name=page.name,
        display_name=page.display_name,
        problem=problem,
    )
    shown = Shown(
        template="first_administrator.html",
        title="First administrator",
        page=filled,
        status=400 if problem else 200,
    )
    return with_form_mark(guest, show(guest, shown), mark)
