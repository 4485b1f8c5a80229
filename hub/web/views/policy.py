"""Policy as pages show it: the bundle that decides, proposals, trials on the record, and what was wrong with a text."""

from dataclasses import dataclass

from hub.web.inert import Inert
from hub.web.moments import At
from hub.web.text_difference import TextLine
from hub.web.views.catalog import Choice
from hub.web.wording import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLine:
    """One rule of a bundle: what it does, whom it asks, and its own reason."""

    name: Inert
    kind: Word
    why: Inert
    asks: tuple[str, ...]
    source: Inert


@dataclass(frozen=True, slots=True, kw_only=True)
class CountLine:
    """One number about the past that a bundle counts."""

    name: Inert
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TestLine:
    """One example of a bundle, and what the bundle must say about it; `failure` is empty where it holds."""

    __test__ = False

    name: Inert
    about: str
    expected: str
    asks: tuple[str, ...]
    failure: Inert


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """One line of a text: its number, and whether it is one that is meant."""

    number: int
    source: Inert
    is_meant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultLine:
    """What is wrong with a text, with the lines that it is about."""

    where: str
    message: Inert
    lines: tuple[SourceLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleForm:
    """A text to be tried or proposed, and what stood against it."""

    action: str
    source: str
    days: str
    takes_two: bool
    faults: tuple[FaultLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionLine:
    """One bundle in a list."""

    url: str
    digest: str
    by: Inert
    since: At | None
    state: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPage:
    """What decides in one environment, what waits to, and all that did."""

    environment: str
    environments: tuple[Choice, ...]
    digest: str
    by: Inert
    since: At | None
    rules: tuple[RuleLine, ...]
    counts: tuple[CountLine, ...]
    tests: tuple[TestLine, ...]
    source: Inert
    waiting: tuple[EditionLine, ...]
    history: tuple[EditionLine, ...]
    form: BundleForm
    may_change: bool = True
    """Whether whoever looks may try and propose another one; auditors only read."""
    remarks: tuple[str, ...] = ()
    """What somebody should look at in what decides."""
    more_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """A rule that makes the difference: it decides now and did not before, or the other way round."""

    rule: Inert
    verb: str
    why: Inert


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceLine:
    """A decision on record that would come out otherwise."""

    invocation_id: str
    tool: str
    question: str
    when: At
    change: Word
    was: str
    would_be: str
    because: tuple[Because, ...]
    records: tuple[Inert, ...] = ()
    """What it would have done to which records, by their names alone: their values are for those who take part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many decisions would change in one way."""

    change: Word
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialShown:
    """What a bundle would have decided otherwise within the last days."""

    days: int
    decisions: int
    same: int
    notes: tuple[str, ...]
    tallies: tuple[Tally, ...]
    differences: tuple[DifferenceLine, ...]
    hidden: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPage:
    """A text that was tried and is nowhere on record, with the form to go on."""

    environment: str
    tests: int
    trial: TrialShown
    form: BundleForm
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BundlePage:
    """One bundle: a proposal to decide on, or one that decided once or decides now."""

    address: str
    environment: str
    digest: str
    state: Word
    proposed_by: Inert
    proposed_at: At | None
    published_by: Inert
    published_at: At | None
    rules: tuple[RuleLine, ...]
    counts: tuple[CountLine, ...]
    tests: tuple[TestLine, ...]
    source: Inert
    compared_with: str
    changed: tuple[TextLine, ...]
    remarks: tuple[str, ...] = ()
    """What somebody should look at before it decides."""
    trial: TrialShown | None = None
    days: tuple[Choice, ...] = ()
    may_publish: bool = False
    why_not: str = ""
    fresh_words: str = ""
    problem: str = ""
