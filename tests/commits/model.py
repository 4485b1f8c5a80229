"""A model of the commit protocol: one write, two processes of the hub, a system of record, and all that can happen.

The decisions are the hub's own (`hub.invocations.protocol`); what stands around them (claims, leases, fencing numbers,
the network, crashes, clocks, other people) is written down here in its barest form, so that every order of events can
be tried. Each `Guard` can be taken away, to see that the model notices.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum

from connectors.sdk.vocabulary import UpstreamClass
from hub.invocations import protocol
from hub.invocations.protocol import Answer, Sight
from hub.invocations.states import State

MOST_UNDER_WAY = 2
"""How many requests may be on the network at once."""
NOT_DONE = frozenset({State.FAILED, State.NOT_APPLIED, State.EXPIRED, State.STALE, State.APPROVED, State.COMMITTING})


class Guard(StrEnum):
    """What the protocol rests on, one by one."""

    FENCE = "a move needs the fencing number it was made from"
    DURABLE_FIRST = "sent is on record before the first byte leaves"
    NO_WAY_BACK = "what was marked as sent never becomes approved again"
    CLASS = "only what has a key or a condition is sent again"
    FIRST_ONLY = "only the first attempt can be said to have failed"
    QUARANTINE = "absent counts only after the quarantine"
    QUARANTINE_FIRST = "whether the quarantine is over is asked before the look"
    CLOCK = "who was kept waiting after the mark does not send any more"
    DEADLINE = "the deadline is asked again when it is marked as sent"
    KEY = "a key is used again only as long as systems know keys"


ALL = frozenset(Guard)


class Phase(Enum):
    """Where one process stands."""

    IDLE = 0
    CLAIMED = 1
    READY = 2
    """It has checked everything; next comes the mark."""
    MARKED = 3
    """It may send."""
    WAITING = 4
    ANSWERED = 5
    LOOKING = 6
    LOOKED = 7


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the hub."""

    phase: Phase = Phase.IDLE
    is_current: bool = True
    """Whether the fencing number it holds is still the newest."""
    seen: State = State.APPROVED
    """The state it believes the write is in."""
    sends: int = 0
    """How many attempts there had been when it made its own."""
    was_late: bool = False
    """Whether its lease ran out while it held it."""
    answer: Answer | None = None
    sight: Sight | None = None
    quarantine_is_over: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """Everything there is at one moment."""

    state: State = State.APPROVED
    sends: int = 0
    leased_to: int | None = None
    processes: tuple[Process, ...] = (Process(), Process())
    under_way: tuple[int | None, ...] = ()
    """Requests on the network; the number of the process that waits for the answer, or None."""
    effects: int = 0
    left: int = 0
    """How many requests ever left."""
    is_edited: bool = False
    is_refusing: bool = False
    """Whether the system says no to what we ask."""
    is_expired: bool = False
    quarantine_is_over: bool = False
    is_key_forgotten: bool = False
    """So much time has passed since the first mark that the system may take a request for a new one."""
    left_late: bool = False
    """Whether something left for the first time after the deadline."""


@dataclass(frozen=True, slots=True)
class Model:
    """The ways on from each world, for one class of system and a set of guards."""

    upstream_class: UpstreamClass
    guards: frozenset[Guard] = ALL

    def following(self, world: World) -> Iterator[tuple[str, World]]:
        """Yield everything that can happen next."""
        for number in range(len(world.processes)):
            yield from self._process(world, number)
        yield from self._network(world)
        yield from self._outside(world)

    # -- the processes of the hub

    def _process(self, world: World, number: int) -> Iterator[tuple[str, World]]:
        one = world.processes[number]
        if one.phase is not Phase.IDLE:
            yield f"{number} crashes", _now(_unheard(world, number), number, Process())
        steps = {
            Phase.IDLE: self._begin,
            Phase.CLAIMED: self._recheck,
            Phase.READY: self._mark,
            Phase.MARKED: self._send,
            Phase.WAITING: self._wait,
            Phase.ANSWERED: self._conclude,
            Phase.LOOKING: self._look,
            Phase.LOOKED: self._say,
        }
        yield from steps[one.phase](world, number)

    def _begin(self, world: World, number: int) -> Iterator[tuple[str, World]]:
        if world.state is State.APPROVED and not world.is_expired:
            taken = self._taken(replace(world, state=State.COMMITTING), number)
            yield f"{number} claims", _now(taken, number, Process(Phase.CLAIMED, seen=State.COMMITTING))
        elif world.leased_to is None:
            yield from self._take_over(world, number)

    def _take_over(self, world: World, number: int) -> Iterator[tuple[str, World]]:
        taken = self._taken(world, number)
        match world.state:
            case State.COMMITTING:
                yield f"{number} gives a lost claim back", replace(taken, state=State.APPROVED, leased_to=None)
            case State.SENT:
                to = self._again_if_unguarded(protocol.after_lost_lease(self.upstream_class, world.sends), world.sends)
                to = to if Guard.NO_WAY_BACK in self.guards else State.APPROVED
                yield f"{number} takes a lost commit over", replace(taken, state=to, leased_to=None)
            case State.RESENDING if self._is_too_late_again(world):
                yield f"{number} sends no more", replace(taken, state=State.IN_DOUBT, leased_to=None)
            case State.RESENDING:
                yield f"{number} will send again", _now(taken, number, Process(Phase.READY, seen=State.RESENDING))
            case State.IN_DOUBT:
                looking = Process(Phase.LOOKING, seen=State.IN_DOUBT, quarantine_is_over=world.quarantine_is_over)
                yield f"{number} will look", _now(taken, number, looking)
            case _:
                pass

    def _recheck(self, world: World, number: int) -> Iterator[tuple[str, World]]:
        if world.is_edited or world.is_expired:
            yield f"{number} finds it changed", self._moved(world, number, State.STALE)
        else:
            one = world.processes[number]
            yield f"{number} finds it unchanged", _now(world, number, replace(one, phase=Phase.READY))
            yield f"{number} cannot reach the system", self._moved(world, number, State.APPROVED)

    def _mark(self, world: World, number: int) -> Iterator[tuple[str, World]]:
        one, is_first = world.processes[number], world.sends == 0
        if is_first and world.is_expired and Guard.DEADLINE in self.guards:
            yield f"{number} is too late", self._moved(world, number, State.APPROVED)
            return
        if not is_first and self._is_too_late_again(world):
            yield f"{number} finds the key too old", _now(world, number, Process())
            return
        if Guard.DURABLE_FIRST not in self.guards:
            yield f"{number} sends before the mark", self._gone(world, number)
        unreachable = _now(world, number, replace(one, phase=Phase.ANSWERED, answer=Answer.NOT_SENT))
        yield f"{number} cannot sign in", unreachable
        if self._may_move(world, one):
            marked = replace(world, state=State.SENT, sends=world.sends + 1, quarantine_is_over=False)
            yield (
                f"{number} marks it as sent",
                _now(
                    replace(marked, leased_to=number, left_late=marked.left_late or (is_first and marked.is_expired)),
                    number,
                    replace(one, phase=Phase.MARKED, seen=State.SENT, sends=marked.sends, was_late=False),
                ),
            )
        else:
            yield f"{number} is fenced", _now(world, number, Process())

    def _is_too_late_again(self, world: World) -> bool:
        within = protocol.resent_within(self.upstream_class, is_natural=False)
        return within is not None and world.is_key_forgotten and Guard.KEY in self.guards

    def _send(self, world: World, number: int) -> Iterator[tuple[str, World]]:
        one = world.processes[number]
        if one.was_late and Guard.CLOCK in self.guards:
            yield f"{number} sees that it was kept waiting", _now(world, number, Process())
            return
        yield (
            f"{number} reaches nobody",
            _now(world, number, replace(one, phase=Phase.ANSWERED, answer=Answer.NOT_SENT)),
        )
        if len(world.under_way) < MOST_UNDER_WAY:
            yield f"{number} sends", self._gone(world, number)

    def _conclude(self, world: World, number: int) -> Iterator[tuple[str, World]]:
        one = world.processes[number]
        assert one.answer is not None
        sends = 1 if Guard.FIRST_ONLY not in self.guards and one.answer is not Answer.UNKNOWN else one.sends
        match one.seen:
            case State.SENT:
                to = protocol.after_sending(one.answer, self.upstream_class, sends)
                to = self._again_if_unguarded(to, sends)
            case State.RESENDING:
                to = protocol.before_sending_again(one.answer)
            case _:
                to = protocol.before_sending(one.answer)
        yield f"{number} puts on record: {to.value}", self._moved(world, number, to)

    def _again_if_unguarded(self, to: State, sends: int) -> State:
        is_let_go = to is State.IN_DOUBT and Guard.CLASS not in self.guards and sends < protocol.MOST_SENDS
        return State.RESENDING if is_let_go else to

    def _wait(self, world: World, number: int) -> Iterator[tuple[str, World]]:
        waited = replace(world.processes[number], phase=Phase.ANSWERED, answer=Answer.UNKNOWN)
        yield f"{number} gives up waiting", _now(_unheard(world, number), number, waited)

    def _look(self, world: World, number: int) -> Iterator[tuple[str, World]]:
        match self.upstream_class:
            case UpstreamClass.C:
                sight = Sight.DONE if world.effects else Sight.ABSENT
            case UpstreamClass.B if not world.is_edited:
                sight = Sight.DONE if world.effects else Sight.ABSENT
            case _:
                sight = Sight.UNCLEAR
        yield f"{number} looks", _now(world, number, replace(world.processes[number], phase=Phase.LOOKED, sight=sight))

    def _say(self, world: World, number: int) -> Iterator[tuple[str, World]]:
        one = world.processes[number]
        assert one.sight is not None
        is_over = one.quarantine_is_over if Guard.QUARANTINE_FIRST in self.guards else world.quarantine_is_over
        to = protocol.after_sight(one.sight, quarantine_is_over=is_over or Guard.QUARANTINE not in self.guards)
        yield f"{number} says: {to.value}", self._moved(world, number, to)

    def _may_move(self, world: World, one: Process) -> bool:
        return (one.is_current or Guard.FENCE not in self.guards) and one.seen is world.state

    def _moved(self, world: World, number: int, to: State) -> World:
        """Return the world after the process has moved the write, or has found that it may not."""
        if self._may_move(world, world.processes[number]):
            world = replace(world, state=to, leased_to=None)
        return _now(world, number, Process())

    def _taken(self, world: World, number: int) -> World:
        others = tuple(replace(one, is_current=False) for one in world.processes)
        return replace(world, processes=others, leased_to=number)

    def _gone(self, world: World, number: int) -> World:
        waiting = replace(world.processes[number], phase=Phase.WAITING)
        if Guard.DURABLE_FIRST not in self.guards and waiting.seen is not State.SENT:
            waiting = replace(world.processes[number], phase=Phase.READY)
        under_way = _sorted((*world.under_way, number))
        return _now(replace(world, under_way=under_way, left=min(world.left + 1, 3)), number, waiting)

    # -- the network and the system

    def _network(self, world: World) -> Iterator[tuple[str, World]]:
        for place, waiter in enumerate(world.under_way):
            rest = replace(world, under_way=world.under_way[:place] + world.under_way[place + 1 :])
            yield "a request is lost", rest
            after, answer = self._carried_out(rest)
            yield "a request arrives, its answer is lost", after
            if waiter is not None and world.processes[waiter].phase is Phase.WAITING:
                heard = replace(world.processes[waiter], phase=Phase.ANSWERED, answer=answer)
                yield f"{waiter} is answered: {answer.value}", _now(after, waiter, heard)

    def _carried_out(self, world: World) -> tuple[World, Answer]:
        if self.upstream_class is UpstreamClass.A and world.effects and not world.is_key_forgotten:
            return world, Answer.DONE
        if self.upstream_class is UpstreamClass.B and (world.is_edited or world.effects):
            return world, Answer.CONFLICTED
        if world.is_refusing:
            return world, Answer.REFUSED
        return replace(world, effects=world.effects + 1), Answer.DONE

    # -- everybody and everything else

    def _outside(self, world: World) -> Iterator[tuple[str, World]]:
        if world.leased_to is not None:
            held = world.processes[world.leased_to]
            late = _now(replace(world, leased_to=None), world.leased_to, replace(held, was_late=True))
            yield "the lease runs out", late
        if not world.is_edited:
            yield "somebody edits the record", replace(world, is_edited=True)
        if not world.is_refusing:
            yield "the system's rules change", replace(world, is_refusing=True)
        if not world.is_expired:
            yield "the deadline passes", replace(world, is_expired=True)
        if world.is_expired and world.state is State.APPROVED:
            yield "it expires", replace(world, state=State.EXPIRED)
        is_slow = any(one.phase in {Phase.MARKED, Phase.WAITING} and not one.was_late for one in world.processes)
        if world.sends and not world.under_way and not world.quarantine_is_over and not is_slow:
            # it is longer than a lease, and than the system's slowest request
            yield "the quarantine is over", replace(world, quarantine_is_over=True)
        if self.upstream_class is UpstreamClass.A and world.sends and not world.under_way and not is_slow:
            yield "the system forgets keys", replace(world, is_key_forgotten=True)


@dataclass(slots=True)
class Exploration:
    """What was found: every world that can be reached, and a shortest way to the first that must not be."""

    worlds: int = 0
    moves: int = 0
    states: set[State] = field(default_factory=set[State])
    broken: str | None = None
    way: list[str] = field(default_factory=list[str])
    stuck: int = 0


def explore(model: Model) -> Exploration:
    """Try every order of events, breadth first, until an invariant breaks or there is nothing new."""
    start, found = World(), Exploration()
    came_from: dict[World, tuple[World, str] | None] = {start: None}
    leads_to: dict[World, list[World]] = {}
    queue = deque([start])
    while queue:
        world = queue.popleft()
        found.states.add(world.state)
        found.broken = problem_with(world, model.upstream_class)
        if found.broken:
            found.way = _way(world, came_from)
            break
        for event, after in model.following(world):
            found.moves += 1
            leads_to.setdefault(after, []).append(world)
            if after not in came_from:
                came_from[after] = (world, event)
                queue.append(after)
    found.worlds = len(came_from)
    if found.broken is None:
        found.stuck = len(came_from) - len(_can_rest(came_from, leads_to))
    return found


def problem_with(world: World, upstream_class: UpstreamClass) -> str | None:
    """Return which promise this world breaks, if any."""
    if world.effects > 1:
        return "two effects"
    if world.effects and world.state in NOT_DONE:
        return f"{world.state.value}, and it is done"
    if world.state is State.COMMITTED and not world.effects:
        return "COMMITTED, and nothing is done"
    if world.left_late:
        return "sent after the deadline"
    if upstream_class in {UpstreamClass.C, UpstreamClass.D} and world.left > 1:
        return "sent again, though the system offers nothing to tell the second from the first"
    return None


def _can_rest(worlds: dict[World, tuple[World, str] | None], leads_to: dict[World, list[World]]) -> set[World]:
    """Return the worlds from which the write can still come to an end, or to people."""
    resting = deque(world for world in worlds if world.state.is_terminal or world.state in _RESTS)
    can = set(resting)
    while resting:
        for before in leads_to.get(resting.popleft(), ()):
            if before not in can:
                can.add(before)
                resting.append(before)
    return can


_RESTS = frozenset({State.COMMITTED, State.STALE, State.IN_DOUBT})


def _way(world: World, came_from: dict[World, tuple[World, str] | None]) -> list[str]:
    way: list[str] = []
    step = came_from[world]
    while step is not None:
        way.append(step[1])
        step = came_from[step[0]]
    return way[::-1]


def _now(world: World, number: int, process: Process) -> World:
    processes = list(world.processes)
    processes[number] = process
    return replace(world, processes=tuple(processes))


def _unheard(world: World, number: int) -> World:
    """Return the world in which the process waits for no answer any more."""
    return replace(world, under_way=_sorted(tuple(None if one == number else one for one in world.under_way)))


def _sorted(waiters: tuple[int | None, ...]) -> tuple[int | None, ...]:
    return tuple(sorted(waiters, key=lambda one: -1 if one is None else one))
