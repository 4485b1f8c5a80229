"""What of a call may be put on record: everything but what the tool's schemas mark as secret, which is sealed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice, zip_longest
from typing import Any, cast

from connectors.sdk.preview import Preview
from hub.core.canonical import canonical_json
from hub.core.errors import InputError
from hub.core.redaction import REDACTED, redact
from hub.execution import Previewed, PreviewOutcome
from hub.invocations.values import Invocation
from hub.keys import Keyring
from hub.registry import PublishedTool

Json = Any
"""Any JSON value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Arguments as every digest takes them: `shown` has markers for secrets, and `bound_by` is what binds those.

    It is an HMAC under a key that never leaves the hub: a changed secret changes every digest, and whoever has the
    digests, say in an export, cannot try secrets out. None: there are no secrets.
    """

    shown: dict[str, Json]
    bound_by: str | None

    def as_json(self) -> dict[str, Json]:
        """Return the members of a digest that stand for the arguments."""
        return {"arguments": self.shown} | ({} if self.bound_by is None else {"secrets_bound_by": self.bound_by})


def bind(tool: PublishedTool, arguments: Mapping[str, Json], keys: Keyring) -> Bound:
    """Return `arguments` without the secrets that `tool` marks, bound to them."""
    shown: dict[str, Json] = recorded_arguments(tool, arguments)
    if shown == arguments:
        return Bound(shown=shown, bound_by=None)
    bound_by = keys.authenticate(canonical_json(dict(arguments)), context="arguments")
    return Bound(shown=shown, bound_by=bound_by)


def sealed(bound: Bound, arguments: Mapping[str, Json], keys: Keyring, *, invocation_id: str) -> bytes | None:
    """Return all of `arguments`, encrypted for their invocation; None if nothing in them is secret."""
    if bound.bound_by is None:
        return None
    return keys.encrypt(canonical_json(dict(arguments)), context=_context(invocation_id))


def opened(standing: Invocation, keys: Keyring) -> dict[str, Json]:
    """Return the arguments with their secrets: for the connector, and for rules that look at them, alone.

    Raises:
        Malformed: the sealed arguments on record were changed, or are another invocation's.
    """
    if standing.sealed_arguments is None:
        return dict(standing.arguments)
    plain = keys.decrypt(standing.sealed_arguments, context=_context(standing.id))
    arguments: dict[str, Json] = json.loads(plain)
    return arguments


def with_secrets(proposed: Json, standing: Invocation, keys: Keyring) -> Json:
    """Return the arguments that somebody proposes who was shown those of `standing`: markers are its secrets again.

    Raises:
        InputError: a marker stands where no secret was.
    """
    why_not = f"{REDACTED} stands for a secret that you were not shown; it cannot be put elsewhere."
    restoring = Restoring(is_marker=lambda value: value == REDACTED, why_not=why_not)
    return restoring.restored(proposed, standing.arguments, opened(standing, keys))


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoring:
    """Puts back what markers stand for, in what somebody sends who was shown it with the markers."""

    is_marker: Callable[[str], bool]
    why_not: str
    """Why a marker is refused that stands where none was shown."""

    def restored(self, proposed: Json, shown: Json, whole: Json) -> Json:
        """Return `proposed` with the parts of `whole` wherever it has the markers that `shown` has there.

        Raises:
            InputError: a marker stands where none, or another one, was shown.
        """
        if isinstance(proposed, str) and self.is_marker(proposed):
            if shown != proposed:
                raise InputError(self.why_not)
            return whole
        if isinstance(proposed, Mapping):
            known, behind = _members(shown), _members(whole)
            members = cast("Mapping[str, Json]", proposed).items()
            return {name: self.restored(member, known.get(name), behind.get(name)) for name, member in members}
        if isinstance(proposed, list):
            places = zip_longest(cast("list[Json]", proposed), _items(shown), _items(whole))
            return [self.restored(*place) for place in islice(places, len(cast("list[Json]", proposed)))]
        return proposed


def _members(value: Json) -> Mapping[str, Json]:
    return cast("Mapping[str, Json]", value) if isinstance(value, Mapping) else {}


def _items(value: Json) -> list[Json]:
    return cast("list[Json]", value) if isinstance(value, list) else []


def _context(invocation_id: str) -> str:
    return f"invocation:{invocation_id}:arguments"


def sealed_before(seen: PreviewOutcome, shown: PreviewOutcome, keys: Keyring, *, invocation_id: str) -> bytes | None:
    """Return what a preview had found, encrypted for its invocation; None if nothing of it is hidden when shown.

    A commit may write back what the preview had found. It must get it as it was: with markers in it, it would write
    the markers into the system.
    """
    if not (isinstance(seen, Previewed) and isinstance(shown, Previewed)):
        return None
    found = _found(seen.preview)
    if found == _found(shown.preview):
        return None
    return keys.encrypt(canonical_json(found), context=f"invocation:{invocation_id}:before")


def before_of(standing: Invocation, keys: Keyring) -> dict[str, dict[str, Json]]:
    """Return what the preview of `standing` had found, by target, as it was: for the connector alone.

    Raises:
        Malformed: what is on record was changed, or is another invocation's.
    """
    if standing.sealed_before is None:
        return {} if standing.preview is None else _found(standing.preview.preview)
    plain = keys.decrypt(standing.sealed_before, context=f"invocation:{standing.id}:before")
    found: dict[str, dict[str, Json]] = json.loads(plain)
    return found


def sealed_output(output: Json, keys: Keyring, *, invocation_id: str) -> bytes:
    """Return an answer, encrypted for its invocation."""
    return keys.encrypt(json.dumps(output).encode(), context=f"invocation:{invocation_id}:output")


def with_answer(standing: Invocation, keys: Keyring) -> Invocation:
    """Return `standing` with its answer as the connector gave it: for the agent that asked, and for the connector.

    Raises:
        Malformed: the answer on record was changed, or is another invocation's.
    """
    if standing.sealed_output is None:
        return standing
    plain = keys.decrypt(standing.sealed_output, context=f"invocation:{standing.id}:output")
    return replace(standing, output=json.loads(plain))


def _found(preview: Preview) -> dict[str, dict[str, Json]]:
    return {change.target: dict(change.before) for change in preview.changes if change.before is not None}


def recorded_arguments(tool: PublishedTool, arguments: Mapping[str, Json]) -> Json:
    """Return the arguments without the secrets among them."""
    return _without_secrets(arguments, tool.version.digest, "input", tool.version.spec.input_schema)


def recorded_output(tool: PublishedTool, output: Json) -> Json:
    """Return the output without the secrets in it."""
    return _without_secrets(output, tool.version.digest, "output", tool.version.spec.output_schema)


def _without_secrets(value: Json, digest: str, side: str, schema: Mapping[str, Json]) -> Json:
    return redact(value, schema) if _marks_secrets(digest, side, _Schema(schema)) else value


class _Schema:
    """A schema as an argument of a cache that looks at the version's digest alone; schemas cannot be hashed."""

    def __init__(self, schema: Mapping[str, Json]) -> None:
        self.schema = schema

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Schema)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=20_000)
def _marks_secrets(_digest: str, _side: str, schema: _Schema) -> bool:
    return "x-secret" in json.dumps(dict(schema.schema))
