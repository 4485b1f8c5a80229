"""What is known about one invocation, read once for a page: how it stands, who takes part, which tool it is."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from connectors.sdk.spec import OperationSpec
from hub import dryrun
from hub.approvals.mandates import people_of
from hub.budgets import Stop
from hub.core.errors import NotFound
from hub.dryrun import TrackRecord
from hub.identity.directory import get_many
from hub.identity.principals import Principal, PrincipalKind
from hub.invocations.braking import stops_on
from hub.invocations.looking import note_looks
from hub.invocations.made_before import made_before
from hub.invocations.masking import as_seen_by
from hub.invocations.queries import answers_for, concerned, look_at
from hub.invocations.states import State
from hub.invocations.undoing import UndoOffer, undo_offer
from hub.invocations.values import Invocation
from hub.registry import Connection, read_current
from hub.storage import now
from hub.web.field_words import FieldWords, words_of
from hub.web.headlines import headline
from hub.web.visits import Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known about one invocation, whoever looks; `at` is the database's time of reading."""

    invocation: Invocation
    operation: OperationSpec
    connection: Connection
    track: TrackRecord
    people: Mapping[str, Principal]
    undo_proven: bool
    at: datetime
    earlier: Invocation | None = None
    """The same call as it was made before, if it was, and people are asked about this one."""
    may_see_earlier: bool = False
    stops: tuple[Stop, ...] = ()
    """The kill switches that hold it back while it waits for people."""
    may_see_undone: bool = False
    """Whether whoever looks may look at the call that it takes back, too."""

    def name_of(self, principal_id: str | None) -> str:
        """Return the display name of somebody who takes part; nobody is the hub itself."""
        if principal_id is None:
            return "the hub"
        found = self.people.get(principal_id)
        return found.display_name if found else principal_id

    @property
    def words(self) -> FieldWords:
        """What the fields of its records and arguments are called."""
        return words_of(self.operation)

    @property
    def headline(self) -> str:
        """What committing it would do, in one sentence."""
        record = self.invocation.preview
        preview = None if record is None else record.preview
        return headline(preview, title=self.operation.title, system=self.connection.name, words=self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier(Known):
    """One invocation with everything a page about it needs."""

    may_act: bool
    """Whether it is the visitor's business; others may look, and no more."""
    is_mine: bool
    undo: UndoOffer

    @property
    def person_asking(self) -> str:
        """Who asked for it, if that was a person, as for an undo; empty where it was an agent."""
        asker = self.people.get(self.invocation.agent_id)
        return asker.display_name if asker and asker.kind is PrincipalKind.USER else ""

    @property
    def requester(self) -> str:
        """For whom it was asked."""
        if self.invocation.on_behalf_of_id is not None:
            return self.name_of(self.invocation.on_behalf_of_id)
        asker = self.people.get(self.invocation.agent_id)
        return "themselves" if asker and asker.kind is PrincipalKind.USER else "itself"


async def open_dossiers(visit: Visit, invocation_ids: Iterable[str]) -> list[Dossier]:
    """Return what is known about those of a list that the visitor may look at still: one may end while it is read."""
    found: list[Dossier] = []
    for invocation_id in invocation_ids:
        with suppress(NotFound):
            found.append(await open_dossier(visit, invocation_id))
    return found


async def open_dossier(visit: Visit, invocation_id: str) -> Dossier:
    """Return what is known about an invocation that the visitor may look at.

    Raises:
        NotFound: there is none, or it is none of the visitor's business.
    """
    try:
        looked_at, may_act = await concerned(visit.runtime, visit.session.caller, invocation_id), True
    except NotFound:
        looked_at, may_act = await look_at(visit.runtime, visit.session.caller, invocation_id), False
    await note_looks(visit.session.caller, [looked_at], visit.own_authority, visit.runtime)
    invocation = await as_seen_by(visit.session.caller, looked_at, visit.runtime)
    earlier = await _earlier(visit, invocation)
    may_see_earlier = earlier is not None and await _may_see(visit, earlier.id)
    may_see_undone = invocation.undoes is not None and await _may_see(visit, invocation.undoes)
    async with visit.runtime.database.reading() as tx:
        tool = await read_current(
            tx,
            invocation.tool_version_id,
            invocation.connection_id,
            server=invocation.server,
            name=invocation.tool_name,
        )
        people = await get_many(tx, _participants(invocation))
        owners = await get_many(tx, [one.owner_id for one in people.values() if one.owner_id])
        return Dossier(
            invocation=invocation,
            operation=tool.operation,
            connection=tool.connection,
            undo_proven=tool.undo_proven,
            undo=await undo_offer(tx, invocation, tool),
            track=await dryrun.track_record(tx, invocation.tool_id),
            people={**owners, **people},
            may_act=may_act,
            is_mine=await answers_for(tx, visit.session.caller, invocation),
            at=await now(tx),
            earlier=earlier,
            may_see_earlier=may_see_earlier,
            may_see_undone=may_see_undone,
            stops=await stops_on(tx, invocation) if invocation.state is State.AWAITING_APPROVAL else (),
        )


async def _earlier(visit: Visit, invocation: Invocation) -> Invocation | None:
    if invocation.question is None:
        return None
    async with visit.runtime.database.reading() as tx:
        return await made_before(tx, invocation)


async def _may_see(visit: Visit, invocation_id: str) -> bool:
    try:
        await look_at(visit.runtime, visit.session.caller, invocation_id)
    except NotFound:
        return False
    return True


def _participants(invocation: Invocation) -> list[str]:
    voters = [one for vote in invocation.question.votes for one in people_of(vote)] if invocation.question else []
    authors = [counter.author_id for counter in invocation.counters]
    taking_part = (invocation.agent_id, invocation.on_behalf_of_id, *voters, *authors)
    return [one for one in taking_part if one is not None]
