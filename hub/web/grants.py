"""Standing grants: the list with what is left of each, giving one for calls like a question, and taking one back."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from connectors.sdk.preview import Blast
from connectors.sdk.spec import OperationSpec
from hub import standing
from hub.core.errors import Conflict, FreshLoginNeeded, InputError, NotFound
from hub.core.money import minor_units, money
from hub.identity.directory import get_many
from hub.invocations.granting import Wanted, give, seen_by, take_back
from hub.invocations.secrecy import recorded_arguments
from hub.policy import exposed_facts
from hub.registry import read_current
from hub.standing import Limit, StandingGrant
from hub.storage import now
from hub.web.dossier import Dossier, open_dossier
from hub.web.inert import inert, inert_name
from hub.web.moments import at
from hub.web.views.grants import GrantCard, GrantsPage, LimitField, NewGrantPage
from hub.web.visits import Shown, Visit, redirect, redirect_telling, show
from hub.web.wording import TIERS, Word

_OPEN: Final = Word(label="in force", meaning="Calls may use it.", tone="good")
_LIMIT: Final = "limit:"


async def show_grants(visit: Visit) -> Response:
    """Show the grants the visitor gave or that stand for its groups' votes."""
    async with visit.runtime.database.reading() as tx:
        grants = await seen_by(tx, visit.person)
        people = await get_many(tx, sorted({one for grant in grants for one in (grant.agent_id, grant.giver_id)}))
        moment = await now(tx)
    names = {one.id: one.display_name for one in people.values()}
    page = GrantsPage(cards=tuple(_card(grant, names, moment) for grant in grants))
    return show(visit, Shown(template="standing_grants.html", title="Standing grants", page=page, here="approvals"))


async def show_new_grant(visit: Visit) -> Response:
    """Show the form that allows calls like the one that is asked about."""
    return _form(visit, await _new_page(visit))


async def give_grant(visit: Visit) -> Response:
    """Give the grant that the form describes."""
    invocation_id = visit.request.path_params["invocation_id"]
    page = await _new_page(visit)
    try:
        await give(_wanted(visit, invocation_id, page), visit.runtime)
    except FreshLoginNeeded:
        return redirect(f"/fresh-login?{urlencode({'next': page.action})}")
    except (InputError, Conflict) as error:
        form = visit.form
        typed = replace(
            page,
            uses=form.one("uses"),
            days=form.one("days"),
            money=form.one("money"),
            money_per_call=form.one("money_per_call"),
            to_anybody=bool(form.one("to_anybody")),
            reason=form.one("reason"),
            fields=tuple(replace(one, typed=form.one(f"{_LIMIT}{one.name}")) for one in page.fields),
            problem=error.message,
        )
        return _form(visit, typed, status=400)
    return redirect_telling(visit, "/standing-grants", "It is in force: such calls go without a question.")


async def revoke(visit: Visit) -> Response:
    """Take a grant back."""
    grant_id, reason = visit.request.path_params["grant_id"], visit.form.one("reason")
    await take_back(grant_id, by=visit.person, reason=reason, runtime=visit.runtime)
    return redirect_telling(visit, "/standing-grants", "It was taken back: what has not been sent stays so.")


def _card(grant: StandingGrant, names: dict[str, str], moment: datetime) -> GrantCard:
    ended = grant.ended(moment)
    return GrantCard(
        agent=inert_name(names.get(grant.agent_id, grant.agent_id)),
        tool=grant.tool_name,
        giver=inert_name(names.get(grant.giver_id, grant.giver_id)),
        group=grant.asked.whom,
        environment=grant.environment,
        tier=TIERS[grant.tier],
        state=Word(label=ended, meaning="", tone="neutral") if ended else _OPEN,
        left=f"{grant.uses_left:,} of {grant.uses:,} uses left",
        money=f"{money(grant.money_left_minor, grant.currency)} left" if grant.money_minor else "",
        limits=tuple((name, inert(str(limit))) for name, limit in grant.limits.items()),
        beside=tuple(inert_name(kind) for kind in sorted({kind for kind, _ in grant.side_effects})),
        to_anybody=grant.to_anybody,
        reason=inert(grant.reason),
        expires=at(grant.expires_at, now=moment),
        like_url=f"/approvals/{grant.like_invocation_id}",
        revoke_url="" if ended else f"/standing-grants/{grant.id}/revoke",
    )


async def _new_page(visit: Visit) -> NewGrantPage:
    dossier = await open_dossier(visit, visit.request.path_params["invocation_id"])
    invocation = dossier.invocation
    if invocation.question is None or invocation.preview is None:
        raise NotFound("Nobody has been asked about this invocation.")
    preview = invocation.preview.preview
    return NewGrantPage(
        action=f"/approvals/{invocation.id}/standing-grant",
        back_url=f"/approvals/{invocation.id}",
        headline=inert_name(dossier.headline),
        agent=inert_name(dossier.name_of(invocation.agent_id)),
        tool=invocation.tool_name,
        group=" and ".join(one.whom for one in invocation.question.obligations),
        environment=invocation.environment,
        reach=_reach(preview.blast),
        side_effects=tuple((inert_name(one.kind), inert_name(one.recipient)) for one in preview.side_effects),
        fields=await _fields(visit, dossier),
        free=_free(dossier.operation),
        currency=preview.blast.currency or "",
    )


def _reach(blast: Blast) -> str:
    records, parties = "record" if blast.rows == 1 else "records", "party" if blast.parties == 1 else "parties"
    return f"{blast.rows:,} {records} and {blast.parties:,} {parties} in one call"


def _free(operation: OperationSpec) -> tuple[str, ...]:
    """Return the arguments that no limit can hold: those that the operation does not expose as a fact."""
    exposed = {pointer.removeprefix("/").replace("~1", "/").replace("~0", "~") for pointer in operation.facts.values()}
    return tuple(name for name in operation.input_schema.get("properties", {}) if name not in exposed)


async def _fields(visit: Visit, dossier: Dossier) -> tuple[LimitField, ...]:
    invocation = dossier.invocation
    async with visit.runtime.database.reading() as tx:
        tool = await read_current(
            tx,
            invocation.tool_version_id,
            invocation.connection_id,
            server=invocation.server,
            name=invocation.tool_name,
        )
    facts = exposed_facts(dossier.operation, recorded_arguments(tool, invocation.arguments)).values
    return tuple(
        LimitField(
            name=name,
            value=inert(str(fact)),
            is_number=type(fact) is int,
            typed=str(fact) if type(fact) is int else "yes",
            fact=fact,
        )
        for name, fact in sorted(facts.items())
    )


def _wanted(visit: Visit, invocation_id: str, page: NewGrantPage) -> Wanted:
    form = visit.form
    return Wanted(
        like=invocation_id,
        giver=visit.person,
        authenticated_at=visit.session.authenticated_at,
        reason=form.one("reason"),
        uses=_number(form.one("uses"), "uses"),
        lasts=timedelta(days=min(_number(form.one("days"), "days"), 10_000)),
        limits=_limits(visit, page),
        to_anybody=bool(form.one("to_anybody")),
        money_minor=minor_units(form.one("money") or "0", page.currency),
        money_per_call_minor=minor_units(form.one("money_per_call") or "0", page.currency),
    )


def _limits(visit: Visit, page: NewGrantPage) -> dict[str, Limit]:
    """Return the limits that were typed; a number that was emptied, or a value that was not ticked, is not limited."""
    limits = dict[str, Limit]()
    for field in page.fields:
        typed = visit.form.one(f"{_LIMIT}{field.name}")
        if typed and field.is_number:
            limits[field.name] = standing.read_limit(_number(typed, field.name), ())
        elif typed:
            limits[field.name] = standing.read_limit(None, [field.fact])
    return limits


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 15:  # noqa: PLR2004  # far more than any limit allows
        raise InputError(f"Write {what} as a whole number.")
    return int(text)


def _form(visit: Visit, page: NewGrantPage, *, status: int = 200) -> Response:
    shown = Shown(template="new_standing_grant.html", title="Allow calls like this", page=page, here="approvals")
    return show(visit, replace(shown, status=status))
