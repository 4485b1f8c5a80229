"""My password: the screen on which people change their own."""

from starlette.responses import Response

from hub.core.errors import InputError
from hub.identity.logins import LoginRefused
from hub.identity.own_password import change_own_password
from hub.web.login import attempt, with_session
from hub.web.views.entry import PasswordPage
from hub.web.visits import Shown, Visit, redirect_telling, show

_DONE = "Your password has been changed. Every other session has ended, and agents that act for you have to ask again."


async def show_password(visit: Visit) -> Response:
    """Ask for the old password and a new one."""
    return _form(visit)


async def change_password(visit: Visit) -> Response:
    """Change it, and go on in a new session."""
    new = visit.form.one("new")
    if new != visit.form.one("again"):
        return _form(visit, problem="The two new passwords differ. Nothing was changed.")
    login = attempt(visit, visit.person.name, "password")
    try:
        outcome = await change_own_password(visit.runtime.database, visit.runtime.keys, login, new)
    except InputError as error:
        return _form(visit, problem=error.message)
    if isinstance(outcome, LoginRefused):
        is_waiting = outcome.retry_after_seconds is not None
        problem = outcome.message if is_waiting else "The old password is not right. Nothing was changed."
        return _form(visit, problem=problem, status=429 if is_waiting else 401)
    return with_session(visit, redirect_telling(visit, "/password", _DONE), outcome)


def _form(visit: Visit, *, problem: str = "", status: int = 400) -> Response:
    page = PasswordPage(name=visit.person.name, problem=problem)
    status = status if problem else 200
    return show(visit, Shown(template="password.html", title="My password", page=page, status=status))
