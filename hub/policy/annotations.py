"""The hub's annotations on Cedar rules, read strictly.

They are `@id @confirm @require @ttl @fresh @escalate @carry @review @raise @suspend @why`.

`@require` names the people who must agree. They are asked in stages, and the people of one stage when the stage before
it is complete:

    @require("finance:1 sales:2, then legal|compliance:1, then board&finance:1")

asks first one person of finance and two of sales, then one of legal or compliance, then one who is in both board and
finance: five different people. `@escalate("heads")` names the groups that are told when most of the time is over.
`@carry("same-changes")` lets votes on an earlier preview count for a new one that would change the very same fields
from the same values to the same values; without it, and where a fresh login is asked for, every vote is on one preview.

`@confirm("requester")` stands on a forbid, alone or beside `@require`: the user for whom the agent acts must confirm
the write on its page, before anybody else is asked.

`@review("approvers:5%")` stands on a permit of autocommit: of what it lets go by itself, that share is looked at
afterwards by somebody of the group.

`@raise("high")` or `@suspend("agent")` stands on a forbid of the action `alarm`: a write that the rule finds unusual is
decided on as if its tier were at least that one (`@raise("next")`: the one above its own), or it is refused and its
agent suspended.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from connectors.sdk.vocabulary import Tier
from hub.core.errors import InputError
from hub.policy.obligations import ALL_OF, ANY_OF, CONFIRMATION_STAGE, REQUESTER, Obligation, Sample
from hub.policy.places import Place

LONGEST_SESSION_SECONDS: Final = 12 * 3600
"""How long a person's session lasts at most; a login that does not count as fresh is told to be as old as that."""
DEFAULT_TTL: Final = "PT24H"
SAME_CHANGES: Final = "same-changes"
_ASKS: Final = frozenset({"confirm", "require"})
_BESIDE: Final = frozenset({"ttl", "fresh", "escalate", "carry"})
_KNOWN: Final = _ASKS | _BESIDE | {"id", "review", "raise", "suspend", "why"}
_BY_REQUESTER: Final = "requester"
_GROUP: Final = r"[a-z][a-z0-9-]{0,63}"
_SEAT: Final = re.compile(rf"({_GROUP}(?:\|{_GROUP})*|{_GROUP}(?:&{_GROUP})*):([1-9]|[1-4][0-9])")
_SHARE: Final = re.compile(rf"({_GROUP}(?:\|{_GROUP})*|{_GROUP}(?:&{_GROUP})*):(\d{{1,3}})(?:\.(\d))?%", re.ASCII)
_WHOLE: Final = 1000
_RAISED: Final = frozenset({"medium", "high", "critical", "next"})
_THEN: Final = re.compile(r",\s+then\s+")
_DURATION: Final = re.compile(r"P(?:(\d{1,3})D)?(?:T(?!$)(?:(\d{1,4})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with a bundle, and where it stands; None: nowhere in particular."""

    message: str
    place: Place | None = None


class BundleInvalid(InputError):
    """The bundle cannot be used; the message says which rule is wrong and how, and `faults` say where."""

    code = "bundle_invalid"

    def __init__(self, message: str, *, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults) or (Fault(message=message),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a rule says beside its condition."""

    id: str
    is_forbid: bool
    why: str
    obligations: tuple[Obligation, ...]
    sample: Sample | None = None
    raises: Tier | Literal["next"] | None = None
    """Of an alarm: the tier it raises a call to at least; `next`: the one above its own."""
    suspends: bool = False

    @property
    def is_alarm(self) -> bool:
        """Whether it finds calls unusual, and neither allows nor forbids them."""
        return self.raises is not None or self.suspends


def read_rule(effect: str, annotations: Mapping[str, str], *, place: str) -> Rule:
    """Return the rule that these annotations describe.

    Raises:
        BundleInvalid: it has no `@id`, or an annotation cannot be read, or one stands where it has no meaning.
    """
    rule_id = annotations.get("id") or ""
    if not rule_id:
        raise BundleInvalid(f"The rule at {place} needs an @id, so that decisions can name it.")
    unknown = sorted(annotations.keys() - _KNOWN)
    if unknown:
        raise BundleInvalid(f"Rule {rule_id}: @{unknown[0]} means nothing to the hub; remove it.")
    is_forbid = effect == "forbid"
    if annotations.keys() & {"raise", "suspend"}:
        return _alarm(rule_id, annotations, is_forbid=is_forbid)
    sample = _sample(annotations["review"], rule_id) if "review" in annotations else None
    if sample is not None and is_forbid:
        raise BundleInvalid(f"Rule {rule_id}: @review belongs on a permit; a forbid lets nothing go by itself.")
    if not annotations.keys() & _ASKS:
        if annotations.keys() & _BESIDE:
            told = "@ttl, @fresh, @escalate and @carry need an @require or a @confirm beside them."
            raise BundleInvalid(f"Rule {rule_id}: {told}")
        return Rule(id=rule_id, is_forbid=is_forbid, why=annotations.get("why", ""), obligations=(), sample=sample)
    if not is_forbid:
        raise BundleInvalid(f"Rule {rule_id}: @require and @confirm belong on a forbid; a permit asks for nothing.")
    return Rule(
        id=rule_id, is_forbid=True, why=annotations.get("why", ""), obligations=_obligations(rule_id, annotations)
    )


def _alarm(rule_id: str, annotations: Mapping[str, str], *, is_forbid: bool) -> Rule:
    if not is_forbid or annotations.keys() & (_ASKS | _BESIDE | {"review"}):
        raise BundleInvalid(f"Rule {rule_id}: @raise and @suspend belong on a forbid, with @id and @why alone.")
    if not annotations.get("why", "").strip():
        raise BundleInvalid(f"Rule {rule_id}: an alarm needs a @why; whoever is asked or stopped reads it.")
    suspends, raised = "suspend" in annotations, annotations.get("raise")
    if suspends and (raised is not None or annotations["suspend"] != "agent"):
        raise BundleInvalid(f'Rule {rule_id}: @suspend reads "agent", and stands without @raise.')
    if raised is not None and raised not in _RAISED:
        raise BundleInvalid(f"Rule {rule_id}: @raise reads {', '.join(sorted(_RAISED))}.")
    raises: Tier | Literal["next"] | None = "next" if raised == "next" else Tier(raised) if raised else None
    return Rule(id=rule_id, is_forbid=True, why=annotations["why"], obligations=(), raises=raises, suspends=suspends)


def _sample(text: str, rule_id: str) -> Sample:
    match = _SHARE.fullmatch(text)
    per_mille = int(match.group(2)) * 10 + int(match.group(3) or 0) if match else 0
    if match is None or not 0 < per_mille <= _WHOLE:
        raise BundleInvalid(f'Rule {rule_id}: @review reads like "approvers:5%" or "approvers:0.5%", at most 100%.')
    return Sample(group=_ordered(match.group(1), rule_id), per_mille=per_mille)


def _obligations(rule_id: str, annotations: Mapping[str, str]) -> tuple[Obligation, ...]:
    seconds = _seconds(annotations.get("ttl", DEFAULT_TTL), rule_id, "ttl")
    fresh = _login_age(annotations["fresh"], rule_id) if "fresh" in annotations else None
    told = _told(annotations["escalate"], rule_id) if "escalate" in annotations else ()
    if annotations.get("carry", SAME_CHANGES) != SAME_CHANGES:
        raise BundleInvalid(f'Rule {rule_id}: @carry reads "{SAME_CHANGES}"; leave it out where every vote is void.')
    return tuple(
        Obligation(
            group=group,
            count=count,
            seconds=seconds,
            fresh_seconds=fresh,
            rule_id=rule_id,
            why=annotations.get("why", ""),
            stage=stage,
            escalate=told,
            carries="carry" in annotations,
        )
        for stage, group, count in _asked(annotations, rule_id)
    )


def _asked(annotations: Mapping[str, str], rule_id: str) -> Iterator[tuple[int, str, int]]:
    """Yield who is asked in which stage, and how many of them; the requester before anybody else."""
    if annotations.get("confirm", _BY_REQUESTER) != _BY_REQUESTER:
        raise BundleInvalid(f'Rule {rule_id}: @confirm reads "{_BY_REQUESTER}"; others are asked with @require.')
    if "confirm" in annotations:
        yield CONFIRMATION_STAGE, REQUESTER, 1
    if "require" in annotations:
        for stage, asked in enumerate(_THEN.split(annotations["require"]), start=1):
            for group, count in _seats(asked, rule_id).items():
                yield stage, group, count


def _seats(stage: str, rule_id: str) -> dict[str, int]:
    """Return whom one stage of an @require asks, and how many of them."""
    matches = [_SEAT.fullmatch(seat) for seat in stage.split()]
    if not matches or not all(matches):
        raise BundleInvalid(
            f'Rule {rule_id}: @require reads like "finance:1 sales:2, then legal|compliance:1": '
            "groups and counts, in stages."
        )
    named = [(_ordered(match.group(1), rule_id), int(match.group(2))) for match in matches if match]
    if len(dict(named)) != len(named):
        raise BundleInvalid(f"Rule {rule_id}: @require names a group twice in one stage.")
    return dict(named)


def _ordered(group: str, rule_id: str) -> str:
    """Return the one way of writing the groups that `group` names, so that rules can be put together."""
    sign = ALL_OF if ALL_OF in group else ANY_OF
    named = group.split(sign)
    if len(set(named)) != len(named):
        raise BundleInvalid(f"Rule {rule_id}: @require names a group twice in {group}.")
    return sign.join(sorted(named))


def _told(text: str, rule_id: str) -> tuple[str, ...]:
    named = text.split()
    if not named or not all(re.fullmatch(_GROUP, group) for group in named):
        raise BundleInvalid(f'Rule {rule_id}: @escalate reads like "heads", groups with spaces between.')
    return tuple(sorted(set(named)))


def seconds_in(text: str) -> int:
    """Return the seconds of an ISO 8601 duration of days, hours, minutes and seconds; 0 for anything else."""
    match = _DURATION.fullmatch(text)
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _login_age(text: str, rule_id: str) -> int:
    seconds = _seconds(text, rule_id, "fresh")
    if seconds >= LONGEST_SESSION_SECONDS:
        raise BundleInvalid(
            f"Rule {rule_id}: @fresh is shorter than PT12H; no login lasts longer, so it would ask nothing."
        )
    return seconds


def _seconds(text: str, rule_id: str, name: str) -> int:
    total = seconds_in(text)
    if total <= 0:
        raise BundleInvalid(f'Rule {rule_id}: @{name} reads like "PT4H" or "P1D", and is longer than nothing.')
    return total
