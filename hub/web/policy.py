"""The pages of policy: what decides, trying another bundle on the record, proposing it, publishing it by a second."""

from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.responses import Response

from hub import bundles, dryrun
from hub.bundles import BY_TWO, FRESH, Edition, Publication, Second
from hub.core.errors import Conflict, Forbidden, FreshLoginNeeded, Malformed, NotFound
from hub.identity.directory import get_many
from hub.identity.permissions import Permission, demand, may
from hub.identity.principals import Principal
from hub.invocations.replay import Candidate, what_if
from hub.policy import Bundle, BundleInvalid, refuse_unfit, remarks
from hub.registry import Environment
from hub.storage import Tx, now
from hub.web.inert import inert
from hub.web.moments import at, span
from hub.web.policy_views import (
    MOST_SHOWN,
    count_lines,
    edition_line,
    edition_state,
    fault_lines,
    person,
    records_of,
    rule_lines,
    test_lines,
    trial_shown,
)
from hub.web.text_difference import text_lines
from hub.web.views.catalog import Choice
from hub.web.views.policy import BundleForm, BundlePage, PolicyPage, TrialPage, TrialShown
from hub.web.visits import Shown, Visit, redirect, redirect_telling, show

LONGEST_FORM: Final = 1024 * 1024
"""A bundle's text, as a form encodes it."""
_LONGEST_BUNDLE: Final = 256 * 1024
_PAGE: Final = 20
_DAYS: Final = ("1", "7", "30", "90", "365")
_DEFAULT_DAYS: Final = "30"


async def show_policies(visit: Visit) -> Response:
    """Go to the policy of the hub's own environment."""
    demand(visit.person, Permission.SEE_POLICY)
    return redirect(f"/policy/{visit.runtime.environment}")


async def show_policy(visit: Visit) -> Response:
    """Show what decides in one environment, what waits to, and all that did."""
    demand(visit.person, Permission.SEE_POLICY)
    return await _policy(visit, _environment(visit))


async def submit_bundle(visit: Visit) -> Response:
    """Try a text on the record, propose it, or let it decide where one person is enough."""
    demand(visit.person, Permission.MANAGE_POLICY)
    environment, text = _environment(visit), _text(visit)
    form = _form(environment, text=text, days=visit.form.one("days"))
    try:
        _check_length(text)
        match visit.form.one("wish"):
            case "try":
                return await _try(visit, environment, form)
            case "propose":
                return await _propose(visit, environment, text)
            case "publish":
                return await _publish(visit, environment, text)
            case _:
                raise Malformed("Press one of the buttons. Nothing was changed.")
    except BundleInvalid as error:
        wrong = _form(environment, text=text, days=form.days, error=error)
        return await _policy(visit, environment, form=wrong)


async def show_bundle(visit: Visit) -> Response:
    """Show one bundle, with what it changes and, where somebody asks for it, what it would have changed."""
    demand(visit.person, Permission.SEE_POLICY)
    return await _bundle(visit)


async def publish_bundle(visit: Visit) -> Response:
    """Let a proposal decide from now on, if it is the one that the page showed."""
    demand(visit.person, Permission.MANAGE_POLICY)
    bundle_id, runtime = visit.request.path_params["bundle_id"], visit.runtime
    second = Second(person_id=visit.person.id, authenticated_at=visit.session.authenticated_at)
    try:
        async with runtime.database.transaction() as tx:
            shown = await _as_shown(tx, bundle_id, visit.form.one("digest"))
            await bundles.publish_proposal(tx, runtime.database, runtime.keys, bundle_id, second)
    except FreshLoginNeeded:
        return redirect(f"/fresh-login?next=/policy/bundles/{bundle_id}")
    except (BundleInvalid, Conflict, Forbidden) as error:
        return await _bundle(visit, problem=error.message)
    return redirect_telling(visit, f"/policy/{shown.environment}", "It decides from now on.")


def _environment(visit: Visit) -> str:
    named = visit.request.path_params["environment"]
    if named not in {one.value for one in Environment}:
        raise NotFound("There is no such environment.")
    return str(named)


def _text(visit: Visit) -> str:
    """Return the text that was uploaded or, without a file, the one that was typed, with lines ended one way."""
    uploaded = visit.form.one("file")
    return (uploaded or visit.form.one("text")).replace("\r\n", "\n").replace("\r", "\n")


def _check_length(text: str) -> None:
    if len(text.encode()) > _LONGEST_BUNDLE:
        raise BundleInvalid(f"A bundle has at most {_LONGEST_BUNDLE:,} bytes.")


def _form(environment: str, *, text: str, days: str = "", error: BundleInvalid | None = None) -> BundleForm:
    return BundleForm(
        action=f"/policy/{environment}",
        source=text,
        days=days if days in _DAYS else _DEFAULT_DAYS,
        takes_two=environment in BY_TWO,
        faults=fault_lines(text, error) if error else (),
    )


async def _try(visit: Visit, environment: str, form: BundleForm) -> Response:
    """Answer with a page: the text is on no record to which a GET could lead, and nothing has changed."""
    bundle = _tried(form.source)
    trial = await _trial(visit, environment, bundle, int(form.days))
    page = TrialPage(
        environment=environment, tests=len(bundle.examples), remarks=remarks(bundle), trial=trial, form=form
    )
    return show(visit, Shown(template="policy_trial.html", title="Policy tried", page=page, here="policy"))


async def _propose(visit: Visit, environment: str, text: str) -> Response:
    publication = Publication(environment=environment, text=text, by=visit.person.id)
    async with visit.runtime.database.transaction() as tx:
        proposal = await bundles.propose_bundle(tx, visit.runtime.keys, publication, by=visit.person.id)
    told = "Proposed. It decides nothing until another administrator publishes it."
    return redirect_telling(visit, f"/policy/bundles/{proposal.id}", told)


async def _publish(visit: Visit, environment: str, text: str) -> Response:
    publication = Publication(environment=environment, text=text, by=visit.person.id)
    async with visit.runtime.database.transaction() as tx:
        published = await bundles.publish_bundle(tx, visit.runtime.database, visit.runtime.keys, publication)
    told = " ".join(("It decides from now on.", *(found := remarks(published))))
    return redirect_telling(visit, f"/policy/{environment}", told, tone="warn" if found else "good")


def _tried(text: str) -> Bundle:
    bundle = Bundle.parse(text)
    refuse_unfit(bundle)
    return bundle


async def _trial(visit: Visit, environment: str, bundle: Bundle, days: int) -> TrialShown:
    candidate, moment = Candidate(environment=environment, bundle=bundle), datetime.now(UTC)
    found = await what_if(candidate, visit.runtime.database, visit.runtime.keys, moment - timedelta(days=days))
    async with visit.runtime.database.reading() as tx:
        shown = {one.recorded.invocation_id for one in found.differences[:MOST_SHOWN]}
        previews = {one: await dryrun.latest(tx, one) for one in sorted(shown)}
    records = {name: records_of(one.preview) for name, one in previews.items() if one is not None}
    return trial_shown(found, bundle, records, days=days, now=moment)


async def _policy(visit: Visit, environment: str, *, form: BundleForm | None = None) -> Response:
    before = visit.request.query_params.get("before")
    async with visit.runtime.database.reading() as tx:
        active = await visit.runtime.bundles.fresh(tx, environment)
        history = await bundles.editions(tx, environment, before=before, limit=_PAGE)
        people, moment = await _people(tx, history), await now(tx)
    lines = [(one, edition_line(one, people, deciding=active.digest, now=moment)) for one in history]
    deciding = next((line for one, line in lines if one.is_active), None)
    page = PolicyPage(
        environment=environment,
        environments=tuple(Choice(value=e.value, label=e.value, is_chosen=e == environment) for e in Environment),
        digest=active.digest,
        by=deciding.by if deciding else person(None, people),
        since=deciding.since if deciding else None,
        remarks=remarks(active),
        rules=rule_lines(active),
        counts=count_lines(active),
        tests=test_lines(active),
        source=inert(active.text),
        waiting=tuple(line for one, line in lines if one.published_at is None),
        history=tuple(line for one, line in lines if one.published_at is not None),
        form=form or _form(environment, text=active.text),
        may_change=may(visit.person, Permission.MANAGE_POLICY),
        more_url=f"/policy/{environment}?before={history[-1].id}" if len(history) == _PAGE else "",
    )
    status = 400 if page.form.faults else 200
    title = f"Policy in {environment}"
    return show(visit, Shown(template="policy.html", title=title, page=page, here="policy", status=status))


async def _bundle(visit: Visit, *, problem: str = "") -> Response:
    async with visit.runtime.database.reading() as tx:
        one = await bundles.edition(tx, visit.request.path_params["bundle_id"])
        earlier = await bundles.edition_before(tx, one)
        active = await visit.runtime.bundles.fresh(tx, one.environment)
        people, moment = await _people(tx, [one]), await now(tx)
    try:
        bundle = Bundle.parse(one.text)
    except BundleInvalid as error:
        bundle, problem = None, problem or f"This release cannot use it: {error.message}"
    days = visit.request.query_params.get("days", "")
    is_open = one.published_at is None and may(visit.person, Permission.MANAGE_POLICY)
    asked = bundle is not None and is_open and days in _DAYS
    before = earlier.text if earlier else bundles.default_bundle_text()
    page = BundlePage(
        address=f"/policy/bundles/{one.id}",
        environment=one.environment,
        digest=one.digest,
        state=edition_state(one, deciding=active.digest),
        proposed_by=person(one.proposed_by, people),
        proposed_at=None if one.proposed_at is None else at(one.proposed_at, now=moment),
        published_by=person(one.published_by, people),
        published_at=None if one.published_at is None else at(one.published_at, now=moment),
        remarks=remarks(bundle) if bundle else (),
        rules=rule_lines(bundle) if bundle else (),
        counts=count_lines(bundle) if bundle else (),
        tests=test_lines(bundle) if bundle else (),
        source=inert(one.text),
        compared_with=earlier.digest[:12] if earlier else "the default policy",
        changed=text_lines(before, one.text),
        trial=await _trial(visit, one.environment, bundle, int(days)) if bundle and asked else None,
        days=_day_choices(days) if is_open else (),
        may_publish=not _why_not(one, visit.person, active.digest),
        why_not=_why_not(one, visit.person, active.digest),
        fresh_words=_fresh_words(visit, moment),
        problem=problem,
    )
    status = 409 if problem else 200
    return show(visit, Shown(template="policy_bundle.html", title="Policy", page=page, here="policy", status=status))


def _day_choices(chosen: str) -> tuple[Choice, ...]:
    wanted = chosen if chosen in _DAYS else _DEFAULT_DAYS
    return tuple(Choice(value=days, label=span(timedelta(days=int(days))), is_chosen=days == wanted) for days in _DAYS)


def _why_not(one: Edition, visitor: Principal, deciding: str) -> str:
    """Return why there is no button; what counts is checked where it is published."""
    if one.published_at is not None:
        return "It has been published."
    if one.proposed_by == visitor.id:
        return "You proposed it; another administrator publishes it."
    if one.proposed_on != deciding:
        return "Another policy has been published since it was proposed. It has to be proposed again."
    return ""


def _fresh_words(visit: Visit, moment: datetime) -> str:
    if moment - visit.session.authenticated_at <= FRESH:
        return ""
    return f"You will be asked for {visit.proof} first: this needs a login younger than {span(FRESH)}."


async def _as_shown(tx: Tx, bundle_id: str, digest: str) -> Edition:
    one = await bundles.edition(tx, bundle_id)
    if digest != one.digest:
        raise Conflict("This is not the proposal that the page showed. Nothing was published.")
    return one


async def _people(tx: Tx, found: list[Edition]) -> dict[str, Principal]:
    ids = [who for one in found for who in (one.proposed_by, one.published_by) if who is not None]
    return await get_many(tx, ids)
