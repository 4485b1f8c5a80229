"""What an operation does and how much care it needs, as far as a document shows it; each verdict with its reasons.

A method proves little: many APIs do everything by POST. So names, paths and summaries are read as well, and every word
may only raise. What nothing is known of is of tier high, and nothing but GET and HEAD is ever inferred to be a read.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from connectors.openapi.operations import Operation
from connectors.openapi.words import (
    BULK,
    CREATES,
    DELETES,
    IRREVERSIBLE,
    MONEY,
    PERMISSIONS,
    READS,
    RUNS,
    SECRETS,
    SENDS,
    UPDATES,
    words_of,
)
from connectors.sdk.vocabulary import Effect, Tier

_SEPARATOR: Final = re.compile(r"[^A-Za-z0-9]+")
_VARIABLE: Final = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Effect and tier, the reasons for them, and what the tool reads that is not everybody's."""

    effect: Effect
    tier: Tier
    effect_reason: str
    tier_reason: str
    data_classes: tuple[str, ...] = ()


def infer(operation: Operation, *, takes_a_list: bool = False) -> Verdict:
    """Return what `operation` appears to do; `takes_a_list` says that its body is a list of records."""
    effect, effect_reason, is_known = _effect(operation)
    if effect is Effect.READ:
        return _read(operation, effect_reason)
    raised = [*_raised(operation, effect, takes_a_list=takes_a_list)]
    if not is_known:
        raised.append((Tier.HIGH, "what it does is not known"))
    tier = max([Tier.MEDIUM, *(tier for tier, _ in raised)], key=lambda tier: tier.rank)
    reasons = [reason for raise_to, reason in raised if raise_to is tier]
    return Verdict(
        effect=effect,
        tier=tier,
        effect_reason=effect_reason,
        tier_reason="; ".join(reasons) or "it changes one record",
    )


def _read(operation: Operation, reason: str) -> Verdict:
    secret = next(iter(_among(SECRETS, [*_path_words(operation), *words_of(operation.operation_id)])), None)
    if secret is None:
        return Verdict(effect=Effect.READ, tier=Tier.LOW, effect_reason=reason, tier_reason="it only reads")
    return Verdict(
        effect=Effect.READ,
        tier=Tier.MEDIUM,
        effect_reason=reason,
        tier_reason=f"it reads, and the word {secret!r} stands in its name or path",
        data_classes=("credentials",),
    )


def _effect(operation: Operation) -> tuple[Effect, str, bool]:
    """Return the effect, why, and whether that is more than a guess."""
    verb, where = _verb(operation)
    says = f"its {where} says {verb!r}"
    match operation.method:
        case "GET" | "HEAD" if verb in DELETES | SENDS | RUNS | UPDATES | CREATES:
            return _of_verb(verb), f"it is a {operation.method}, but {says}", False
        case "GET" | "HEAD":
            return Effect.READ, f"it is a {operation.method}, and no word of it says otherwise", True
        case "DELETE":
            return Effect.DELETE, "it is a DELETE", True
        case _ if verb in DELETES | SENDS:
            return _of_verb(verb), says, True
        case "PUT" | "PATCH":
            return Effect.UPDATE, f"it is a {operation.method}", verb not in RUNS
        case _:
            return _of_post(operation, verb, says)


def _of_post(operation: Operation, verb: str, says: str) -> tuple[Effect, str, bool]:
    is_to_one = _VARIABLE.search(operation.path.rstrip("/").rpartition("/")[2]) is not None
    match verb:
        case _ if verb in READS:
            hint = "if it changes nothing, say effect: read in the overlay"
            return Effect.UPDATE, f"{says}, but it is a POST; {hint}", False
        case _ if verb in UPDATES | RUNS and verb != "post":
            return Effect.UPDATE, says, verb in UPDATES
        case _ if verb in CREATES and verb != "post":
            return Effect.CREATE, says, True
        case _ if is_to_one:
            return Effect.UPDATE, "it is a POST to one record", False
        case _:
            return Effect.CREATE, "it is a POST, and no word says what it does", False


def _of_verb(verb: str) -> Effect:
    for effect, words in ((Effect.DELETE, DELETES), (Effect.SEND, SENDS), (Effect.CREATE, CREATES)):
        if verb in words:
            return effect
    return Effect.UPDATE


def _verb(operation: Operation) -> tuple[str, str]:
    """Return the word that says what is done, and where it stands: the worst of the places where one may."""
    last = next((part for part in reversed(operation.path.split("/")) if part and not _VARIABLE.search(part)), "")
    places = (
        (_leading(operation.operation_id), "name"),
        (words_of(last.rpartition(":")[2])[:1], "path"),
        (_first_words(operation.summary), "summary"),
        (_first_words(operation.description), "description"),
    )
    found = [(word, where) for words, where in places for word in words]
    for vocabulary in (DELETES, SENDS, RUNS - {"post"}, UPDATES, CREATES, READS, RUNS):
        for word, where in found:
            if word in vocabulary and not _is_noun(operation, word, where):
                return word, where
    return "", ""


def _first_words(text: str) -> list[str]:
    """Return the first word of `text`, as it stands and as an imperative: "Removes" and "remove"."""
    return [
        form for word in words_of(text[:200])[:1] for form in (word, word.removesuffix("s"), word.removesuffix("es"))
    ]


def _is_noun(operation: Operation, word: str, where: str) -> bool:
    """Return whether `word` names a thing: what a GET reads that says so, or what another verb is done to."""
    if operation.method in {"GET", "HEAD"} and where != "summary":
        return bool({*_leading(operation.operation_id)} & READS)
    first = words_of(operation.operation_id)[:1]
    return where == "name" and first != [word] and bool(first) and _is_any_verb(first[0])


def _leading(name: str) -> list[str]:
    """Return the first word of each part of a name: of `Brands_GetBrand` both `brands` and `get`."""
    return [word for part in _SEPARATOR.split(name) for word in words_of(part)[:1]]


def _is_any_verb(word: str) -> bool:
    return word in READS | CREATES | UPDATES | DELETES | SENDS | RUNS


def _raised(operation: Operation, effect: Effect, *, takes_a_list: bool) -> Iterator[tuple[Tier, str]]:
    words = [*_path_words(operation), *words_of(operation.operation_id), *words_of(operation.summary)]
    for vocabulary, tier, what in _SPEAKS_OF:
        told = [*words, *words_of(operation.description)] if vocabulary is IRREVERSIBLE else words
        yield from ((tier, f"the word {word!r} speaks of {what}") for word in _among(vocabulary, told))
    if takes_a_list:
        yield Tier.HIGH, "it takes a list of records"
    if effect is Effect.DELETE:
        yield Tier.HIGH, "it deletes, and no way back is known"
    if effect is Effect.SEND:
        yield Tier.HIGH, "it sends something out"
    if operation.method in {"PUT", "PATCH", "DELETE"} and not _VARIABLE.search(operation.path):
        yield Tier.HIGH, "its path names no record, so it may reach all of them"


_SPEAKS_OF: Final = (
    (PERMISSIONS, Tier.CRITICAL, "who may do what"),
    (IRREVERSIBLE, Tier.CRITICAL, "what cannot be undone"),
    (MONEY, Tier.HIGH, "money"),
    (BULK, Tier.HIGH, "many records"),
)


def _path_words(operation: Operation) -> list[str]:
    return words_of(_VARIABLE.sub(" ", operation.path))


def _among(vocabulary: frozenset[str], words: Iterable[str]) -> list[str]:
    return [word for word in dict.fromkeys(words) if word in vocabulary][:2]
