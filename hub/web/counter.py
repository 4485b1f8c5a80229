"""Proposing other arguments: the form on the approval page, what comes of it, and how a revision differs."""

import json

from starlette.responses import Response

from hub.approvals import Ballot, Choice, Counter, Question
from hub.core.canonical import parse_json
from hub.core.errors import InputError, Malformed
from hub.invocations.counter import CounterProposal, counter
from hub.invocations.states import MOST_REVISIONS
from hub.invocations.values import Invocation
from hub.web.comparison import FieldState, Veil, compare_records
from hub.web.dossier import Dossier, open_dossier
from hub.web.field_words import arguments_words
from hub.web.inert import inert
from hub.web.moments import at
from hub.web.views.approval import CounterForm, CounterLine, Revised
from hub.web.visits import Visit, redirect_telling

_NOTICE = "Your proposal is on record. It has a preview and a question of its own, which others answer."


def counter_form(invocation: Invocation, question: Question) -> CounterForm | None:
    """Return the form, if another revision may be made."""
    if invocation.revision >= MOST_REVISIONS or question.awaits_requester:
        return None
    return CounterForm(
        action=f"/approvals/{invocation.id}/instead",
        digest=question.digest,
        # what is not ASCII is escaped, so that nothing in it is invisible or runs the other way
        arguments=json.dumps(dict(invocation.arguments), indent=2),
    )


def revised(dossier: Dossier) -> Revised | None:
    """Return how the arguments differ from what the agent sent; None if nobody proposed others."""
    counters = dossier.invocation.counters
    if not counters:
        return None
    fields = compare_records(counters[0].before, counters[-1].after, Veil(), arguments_words(dossier.operation))
    changed = tuple(one for one in fields if one.state is not FieldState.UNCHANGED)
    return Revised(fields=changed, counters=tuple(_line(one, dossier) for one in counters))


async def propose(visit: Visit) -> Response:
    """Make the visitor's proposal; a refused one is shown again with what was typed.

    Raises:
        HubError: it cannot be made at all; says why.
    """
    invocation_id, form = visit.request.path_params["invocation_id"], visit.form
    await open_dossier(visit, invocation_id)  # whoever may not look learns nothing from proposing either
    ballot = Ballot(
        invocation_id=invocation_id,
        digest=form.one("approval_digest"),
        choice=Choice.REJECT,  # whoever wants something else does not agree with what is asked
        reason=form.one("reason"),
        voter=visit.person,
        authenticated_at=visit.session.authenticated_at,
    )
    await counter(CounterProposal(ballot=ballot, arguments=_arguments(form.one("arguments"))), visit.runtime)
    return redirect_telling(visit, f"/approvals/{invocation_id}", _NOTICE)


def _arguments(text: str) -> object:
    try:
        return parse_json(text)
    except Malformed as error:
        raise InputError(f"The arguments are not JSON: {error.message}") from error


def _line(made: Counter, dossier: Dossier) -> CounterLine:
    return CounterLine(
        revision=made.revision,
        author=dossier.name_of(made.author_id),
        groups=tuple(sorted(made.groups)),
        reason=inert(made.reason),
        at=at(made.made_at, now=dossier.at),
    )
