"""Deciding a batch: one decision, a vote on each item by its own digest, and what came of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hub import approvals
from hub.approvals import Ballot, Limit, Question
from hub.core.errors import FreshLoginNeeded, HubError, InputError
from hub.identity.principals import Principal
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.votes import vote
from hub.storage import Tx

UNSEEN = "there is no such question"
MOST_ITEMS = 100
"""How many items one decision may be about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question of a batch, as the page showed it."""

    invocation_id: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What came of one item: where its invocation stands if the vote was counted, else why it was not."""

    invocation_id: str
    state: State | None
    why_not: str = ""


async def waiting_together(tx: Tx, voter: Principal) -> list[list[Question]]:
    """Return the batches among the questions that wait for `voter`, the most urgent first."""
    waiting = [await approvals.latest(tx, one) for one in await approvals.waiting_for(tx, voter)]
    return list(approvals.together(one for one in waiting if one is not None).values())


async def vote_on_batch(ballot: Ballot, items: Sequence[Item], limit: Limit, runtime: Runtime) -> list[Decided]:
    """Cast `ballot` on each of `items` that is within `limit`, and return what came of each.

    Each vote is counted or refused by itself, as if it had been cast alone: one that has changed, has expired or is not
    for this voter does not stop the others, and is not carried by them.

    Raises:
        FreshLoginNeeded: a rule wants a younger login; nothing more was counted.
        InputError: there are no items, too many, or the same one twice, or they are not of one batch.
    """
    if not items:
        raise InputError("Nothing is chosen. Choose what you decide about. Nothing was decided.")
    if len(items) > MOST_ITEMS or len({one.invocation_id for one in items}) != len(items):
        raise InputError(f"Choose at most {MOST_ITEMS} different items. Nothing was decided.")
    seen = await _seen(items, runtime)
    if len({question.shape for question in seen.values()}) > 1:
        raise InputError("These are not of one batch. Decide them one by one. Nothing was decided.")
    beyond = {found: limit.beyond(question.summary) for found, question in seen.items()}
    return [await _decide(ballot, one, beyond.get(one.digest, UNSEEN), runtime) for one in items]


async def _seen(items: Sequence[Item], runtime: Runtime) -> dict[str, Question]:
    """Return the questions that the digests stand for; a digest of nothing is refused where it is counted."""
    async with runtime.database.reading() as tx:
        found = [(one, await approvals.by_digest(tx, one.digest)) for one in items]
    return {one.digest: question for one, question in found if question and question.invocation_id == one.invocation_id}


async def _decide(ballot: Ballot, item: Item, beyond: str, runtime: Runtime) -> Decided:
    if beyond:  # whoever guesses an id learns nothing of what is behind it
        return Decided(invocation_id=item.invocation_id, state=None, why_not=f"Left undecided: {beyond}.")
    own = replace(ballot, invocation_id=item.invocation_id, digest=item.digest)
    try:
        counted = await vote(own, runtime)
    except FreshLoginNeeded:
        raise
    except HubError as refusal:
        return Decided(invocation_id=item.invocation_id, state=None, why_not=refusal.message)
    return Decided(invocation_id=item.invocation_id, state=counted.state)
