"""The form by which administrators ask for the promotion of a composite tool: what it offers, and how it is read."""

from collections.abc import Mapping

from hub.core.errors import InputError
from hub.identity.principals import Role
from hub.promotions.values import BEFORE
from hub.registry import Environment, composite_tools
from hub.storage import Tx
from hub.web.views.catalog import Choice
from hub.web.views.promotions import CompositeForm
from hub.web.visits import Visit


async def composite_form(tx: Tx, visit: Visit, *, problem: str = "") -> CompositeForm | None:
    """Return the form as the visitor has filled it in; None for who may not ask, and where there is nothing to ask."""
    if not visit.person.has_role(Role.ADMINISTRATOR):
        return None
    offered = dict[str, list[str]]()
    for environment in BEFORE.values():
        for one in await composite_tools(tx, environment):
            offered.setdefault(one.spec.name, []).append(environment.value)
    if not offered:
        return None
    chosen, where = visit.form.one("composite"), visit.form.one("environment")
    return CompositeForm(
        tools=tuple(
            Choice(value=name, label=f"{name} ({', '.join(places)})", is_chosen=name == chosen)
            for name, places in sorted(offered.items())
        ),
        environments=tuple(Choice(value=one.value, label=one.value, is_chosen=one.value == where) for one in BEFORE),
        connections=visit.form.one("connections") if problem else "",
        reason=visit.form.one("reason") if problem else "",
        problem=problem,
    )


def environment_of(visit: Visit) -> Environment:
    """Return the environment that the form names.

    Raises:
        InputError: it names none.
    """
    try:
        return Environment(visit.form.one("environment"))
    except ValueError as error:
        raise InputError("Choose one of the environments.") from error


def connections_of(text: str) -> Mapping[str, str]:
    """Return over which connection each step is to go, from lines like `STEP = CONNECTION`.

    Raises:
        InputError: a line is none of these, or names a step for the second time.
    """
    found = dict[str, str]()
    for line in filter(None, map(str.strip, text.splitlines())):
        step, _, connection = (part.strip() for part in line.partition("="))
        if not step or not connection or step in found:
            raise InputError(f"Write each step once, as STEP = CONNECTION: {line[:100]!r} is not like that.")
        found[step] = connection
    return found
