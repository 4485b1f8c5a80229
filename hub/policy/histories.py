"""The history that a bundle asks for: counts and sums in windows, declared in comments of its text, as data.

A declaration is one JSON object in consecutive lines that begin with `//=`; an empty line stands between two:

    //= {"fact": "refunded_today", "sum": "amount_minor", "of": "payments.refund", "per": ["agent"], "within": "P1D"}

    //= {"fact": "writes_lately", "count": "sent", "per": ["agent", "tool"], "within": "PT1H"}

    //= {"fact": "turned_down", "count": "rejected_in_a_row", "per": ["agent"], "within": "P7D"}

    //= {"fact": "read_before", "count": "read", "of": "erp.order_get", "per": ["run"], "within": "P1D",
    //=  "same": {"order": "id"}}

    //= {"fact": "big_lately", "count": "made", "from_tier": "high", "per": ["agent"], "within": "PT10M"}

    //= {"fact": "most_ever", "max": "amount_minor", "per": ["agent", "tool"], "within": "P90D"}

Rules ask for it by `context.history.hasTag` and `getTag`, once a preview has been taken. What is on record before the
call is counted, and never the call itself: `sent` counts writes that were sent, `made` whatever was called, also
what came to nothing; `from_tier` leaves out calls of lower tiers. Only what the bundle declares is counted, and
stored beside the decision.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from connectors.sdk.faults import first_fault
from connectors.sdk.vocabulary import Tier
from hub.core.canonical import parse_json
from hub.core.errors import Malformed
from hub.policy.annotations import BundleInvalid, Fault, seconds_in
from hub.policy.places import Place, comment_blocks

Json = Any
"""Any JSON value."""

MARK: Final = "//="
PREVIEWED_MONEY: Final = "preview.money_minor"
"""Sums the money that previews said would move, in the currency of the call that is decided on."""
_LONGEST: Final = 90 * 24 * 3600
_MOST: Final = 20
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]


class History(BaseModel):
    """One number about the past that a bundle asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fact: _Name
    count: Literal["sent", "made", "read", "rejected_in_a_row"] | None = None
    sum: str | None = Field(default=None, min_length=1, max_length=100)
    """An argument that tools expose to policy, or `preview.money_minor`; amounts below zero count as nothing."""
    max: str | None = Field(default=None, min_length=1, max_length=100)
    """Like `sum`; the largest one instead, or 0."""
    from_tier: Tier | None = None
    """Count calls of this tier and those above alone."""
    of: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]{0,31}(\.[a-z][a-z0-9_]{0,47})?$")
    """A connector or a tool; without it, whatever `per` leaves."""
    per: tuple[Literal["agent", "user", "run", "tool", "connection"], ...] = Field(min_length=1)
    within: str
    same: Mapping[str, str] = {}
    """Reads alone: argument of the earlier call -> argument of this one that must have the same value."""

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        if [self.count, self.sum, self.max].count(None) != 2:  # noqa: PLR2004  # all but one
            raise ValueError("say what to count, what to sum, or of what to take the largest")
        if self.from_tier is not None and self.count in {"read", "rejected_in_a_row"}:
            raise ValueError("from_tier is for what was sent or made")
        if self.same and self.count != "read":
            raise ValueError("same is for reads")
        if self.count == "read" and self.of is None:
            raise ValueError("a count of reads says of which tool or connector")
        if len(set(self.per)) != len(self.per):
            raise ValueError("per names something twice")
        if not 0 < self.seconds <= _LONGEST:
            raise ValueError('within reads like "PT1H" or "P30D", and is at most 90 days')
        return self

    @property
    def amount(self) -> str | None:
        """The amount that is summed, or of which the largest is taken."""
        return self.sum or self.max

    @property
    def seconds(self) -> int:
        """Return how far back is looked."""
        return seconds_in(self.within)


def read_histories(text: str) -> dict[str, History]:
    """Return what a bundle's comments declare, by name.

    Raises:
        BundleInvalid: a declaration cannot be read, two have one name, or there are too many.
    """
    found: dict[str, History] = {}
    for place, block in comment_blocks(text, MARK):
        declared = _read(place, block)
        if declared.fact in found:
            raise _wrong(f"The fact {declared.fact} is declared twice.", place)
        if len(found) == _MOST:
            raise _wrong(f"A bundle declares at most {_MOST} facts of history.", place)
        found[declared.fact] = declared
    return found


def check_asked(conditions: Json, declared: Mapping[str, History], place: Place) -> None:
    """Let the conditions of a rule pass that ask for no history but what is declared.

    A name that is not there would never be found, and a rule that forbids would silently not.

    Raises:
        BundleInvalid: they name something else, or something that is only known later.
    """
    for name in _asked(conditions):
        if name is None:
            raise _wrong("Name the fact of history as a text: hasTag and getTag take nothing else here.", place)
        if name not in declared:
            raise _wrong(f'There is no history "{name}"; declare it in a comment that begins with {MARK}.', place)


def _read(place: Place, block: str) -> History:
    try:
        return History.model_validate(parse_json(block))
    except (Malformed, ValidationError) as error:
        raise _wrong(f"The history in {place} cannot be read: {first_fault(error)}", place) from error


def _wrong(message: str, place: Place) -> BundleInvalid:
    return BundleInvalid(message, faults=(Fault(message=message, place=place),))


def _asked(value: Json) -> Iterator[str | None]:
    """Yield what is asked of `context.history` by hasTag and getTag; None for what is no literal."""
    if isinstance(value, dict):
        members = cast("dict[str, Json]", value)
        for operator in ("hasTag", "getTag"):
            asked = members.get(operator)
            if isinstance(asked, dict) and _is_history(cast("dict[str, Json]", asked).get("left")):
                literal = cast("dict[str, Json]", asked)["right"].get("Value")
                yield literal if isinstance(literal, str) else None
        for member in members.values():
            yield from _asked(member)
    elif isinstance(value, list):
        for item in cast("list[Json]", value):
            yield from _asked(item)


def _is_history(value: Json) -> bool:
    return bool(value == {".": {"left": {"Var": "context"}, "attr": "history"}})
