"""Whose word counts when a release of confined code is registered: the code's own, unless an administrator says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, cast

from connectors.sdk.spec import ConnectorSpec
from hub.core.canonical import digest
from hub.core.errors import Forbidden, Malformed
from hub.core.texts import shown
from hub.identity.authority import Authority
from hub.identity.directory import get
from hub.identity.principals import Role
from hub.registry.differing import fields
from hub.storage import Tx

Json = Any
"""Any JSON value."""

_OWN_NAMES: Final = frozenset({"version", "title", "description"})
"""What a release is called: nothing follows from it, so its owner may say it otherwise than the code."""
_MOST_TOLD: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What code said of itself when it was asked: foreign, and looked at by nobody."""

    spec: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Undeclared:
    """Code that could not be asked, or did not answer; `why` goes on from "its code was asked in vain:"."""

    why: str


async def counts_own_word(tx: Tx, spec: ConnectorSpec, authority: Authority) -> bool:
    """Return whether the code itself has to say what `spec` says, before it is registered under `authority`.

    An administrator and the hub's console may have code declare something else. A declarative connector has none: its
    declaration is its owner's.
    """
    if spec.runs != "confined" or authority.by is None:
        return False
    return not (await get(tx, authority.by)).has_role(Role.ADMINISTRATOR)


def refuse_other_words(spec: ConnectorSpec, word: Declared | Undeclared) -> None:
    """Let `spec` pass if it says what its code says.

    Raises:
        Forbidden: it says something else, or nobody knows what the code says.
    """
    who = "so only an administrator may register this"
    if isinstance(word, Undeclared):
        raise Forbidden(f"What {spec.name!r} declares was asked of its code in vain: {word.why}; {who}.")
    said, wanted = _without_names(word.spec), _without_names(spec.model_dump(mode="json"))
    try:
        is_the_same = digest(said) == digest(wanted)
    except Malformed:  # by what the code said: the other was read as JSON of ours
        is_the_same = False
    if not is_the_same:
        raise Forbidden(
            f"The code of {spec.name!r} declares something else{_where(said, wanted)}, {who}; or change the code, and "
            "register what it declares then."
        )


def _without_names(declared: Mapping[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in declared.items() if key not in _OWN_NAMES}


def _where(said: Mapping[str, Json], wanted: Mapping[str, Json]) -> str:
    """Return the first places where both differ; their names are the code's, so they are shown as foreign."""
    changes = fields("", _by_name(said), _by_name(wanted))
    places = [shown(change.pointer) for change in islice(changes, _MOST_TOLD)]
    return f", in {', '.join(places)}" if places else ""


def _by_name(declared: Mapping[str, Json]) -> dict[str, Json]:
    """Return it with its operations by name: else one that differs makes all of them differ."""
    operations = declared.get("operations")
    if not isinstance(operations, list):
        return {**declared}
    objects = [cast("Mapping[str, Json]", one) for one in cast("list[Json]", operations) if isinstance(one, dict)]
    return {**declared, "operations": {str(one.get("name")): one for one in objects}}
