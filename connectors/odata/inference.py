"""What a tool does and how much care it needs, as far as the metadata shows it; each verdict with its reasons.

Every word may only raise. A function is a read by OData's own definition, an action never is one by itself.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from connectors.odata.metadata import EntitySet, Operation
from connectors.openapi.inference import Verdict
from connectors.openapi.words import (
    BULK,
    CREATES,
    DELETES,
    IRREVERSIBLE,
    MONEY,
    PERMISSIONS,
    SECRETS,
    SENDS,
    UPDATES,
    words_of,
)
from connectors.sdk.vocabulary import Effect, Tier

_PERSONAL: Final = "com.sap.vocabularies.PersonalData.v1."
_SPEAKS_OF: Final = (
    (PERMISSIONS, Tier.CRITICAL, "who may do what"),
    (IRREVERSIBLE, Tier.CRITICAL, "what cannot be undone"),
    (MONEY, Tier.HIGH, "money"),
    (BULK, Tier.HIGH, "many records"),
)
_METHODS: Final = {Effect.CREATE: "POST", Effect.UPDATE: "PATCH", Effect.DELETE: "DELETE"}


def of_read(entities: EntitySet) -> Verdict:
    """Return the verdict on reading records of a set."""
    words = [word for one in entities.type.properties for word in words_of(one.name)] + words_of(entities.name)
    if secret := _among(SECRETS, words):
        return _read(Tier.MEDIUM, f"the word {secret[0]!r} stands in its names", ("credentials",))
    personal = [one.name for one in entities.type.properties if any(term.startswith(_PERSONAL) for term in one.terms)]
    if personal:
        return _read(Tier.MEDIUM, f"{', '.join(personal[:3])} is marked as personal data", ("personal",))
    return _read(Tier.LOW, "it only reads", ())


def of_function(operation: Operation) -> Verdict:
    """Return the verdict on calling a function."""
    if secret := _among(SECRETS, words_of(_last(operation.name))):
        return _read(Tier.MEDIUM, f"the word {secret[0]!r} stands in its name", ("credentials",))
    return _read(Tier.LOW, "it only reads", (), "it is a function, which must not change anything")


def _read(
    tier: Tier, tier_reason: str, data_classes: tuple[str, ...], effect_reason: str = "it asks for records by GET"
) -> Verdict:
    return Verdict(
        effect=Effect.READ, tier=tier, effect_reason=effect_reason, tier_reason=tier_reason, data_classes=data_classes
    )


def of_write(entities: EntitySet, effect: Effect) -> Verdict:
    """Return the verdict on writing one record of a set."""
    raised = [*_raised(words_of(entities.name))]
    if effect is Effect.DELETE:
        raised.append((Tier.HIGH, "it deletes, and no way back is known"))
    return _verdict(effect, f"it is a {_METHODS[effect]} to one record of the set", raised)


def of_action(operation: Operation) -> Verdict:
    """Return the verdict on calling an action, of which the metadata says nothing but its name."""
    name = _last(operation.name)
    words = words_of(name)
    owner = operation.parameters[0].type.name if operation.is_bound and operation.parameters else ""
    raised = [*_raised([*words, *words_of(_last(owner))])]
    verb = next(iter(words), "")
    if not operation.is_bound and operation.returns is None:
        raised.append((Tier.HIGH, "it names no record, so it may reach all of them"))
    if verb in SENDS:
        return _verdict(Effect.SEND, f"its name says {verb!r}", [*raised, (Tier.HIGH, "it sends something out")])
    if verb in DELETES:
        raised.append((Tier.HIGH, f"its name says {verb!r}, and no way back is known"))
        return _verdict(Effect.UPDATE, f"its name says {verb!r}; what becomes of the record is not known", raised)
    if verb in CREATES:
        return _verdict(Effect.CREATE, f"its name says {verb!r}", raised)
    if verb not in UPDATES:
        raised.append((Tier.HIGH, "what it does is not known"))
    hint = "it is an action, which may change anything; if it changes nothing, say so: effect: read"
    return _verdict(Effect.UPDATE, hint, raised)


def _verdict(effect: Effect, effect_reason: str, raised: list[tuple[Tier, str]]) -> Verdict:
    tier = max([Tier.MEDIUM, *(tier for tier, _ in raised)], key=lambda tier: tier.rank)
    reasons = dict.fromkeys(reason for raise_to, reason in raised if raise_to is tier)
    return Verdict(
        effect=effect,
        tier=tier,
        effect_reason=effect_reason,
        tier_reason="; ".join(reasons) or "it changes one record",
    )


def _raised(words: list[str]) -> Iterator[tuple[Tier, str]]:
    for vocabulary, tier, what in _SPEAKS_OF:
        yield from ((tier, f"the word {word!r} speaks of {what}") for word in _among(vocabulary, words))


def _among(vocabulary: frozenset[str], words: Iterable[str]) -> list[str]:
    return [word for word in dict.fromkeys(words) if word in vocabulary][:2]


def _last(name: str) -> str:
    return name.rpartition(".")[2]
