"""Checking what connector code hands back: against its schema, and whether every store and reader can keep it."""

import math
from collections import OrderedDict
from typing import Any, Final, NamedTuple, cast

from connectors.sdk.spec import OperationSpec
from hub.core.canonical import SAFE_INTEGER
from schemas import CompiledSchema

Json = Any
"""Any JSON value."""

DEEPEST: Final = 64
MOST_NAMED: Final = 5
"""How many violations are told; a wrong list has thousands."""
_MOST_SCHEMAS: Final = 512
_LONGEST_TEXT: Final = 500


class Storable(NamedTuple):
    """A value that can be kept, signed and sent, and what had to be replaced for it."""

    value: Json
    findings: tuple[str, ...]


class OutputSchemas:
    """Output schemas made ready once. A spec never changes, so its identity is enough while it is kept here."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[int, tuple[OperationSpec, CompiledSchema]] = OrderedDict()

    def violations(self, operation: OperationSpec, output: Json) -> tuple[str, ...]:
        """Return how `output` breaks the schema of `operation`, the first few.

        An answer has come, and is put on record whatever checking it runs into: that is a finding like any other.
        """
        try:
            return self._found(operation, output)
        except Exception as error:  # noqa: BLE001  # see above
            return (f"/: it cannot be checked against its schema ({type(error).__name__})",)

    def _found(self, operation: OperationSpec, output: Json) -> tuple[str, ...]:
        schema = self._of(operation)
        if schema.is_valid(output):  # many times faster than wording what is wrong, and nearly always enough
            return ()
        found = schema.violations(output)
        return tuple(f"{one.pointer or '/'}: {one.message[:_LONGEST_TEXT]}" for one in found[:MOST_NAMED])

    def _of(self, operation: OperationSpec) -> CompiledSchema:
        known = self._compiled.get(id(operation))
        if known is None:
            known = self._compiled[id(operation)] = (operation, CompiledSchema(operation.output_schema))
            if len(self._compiled) > _MOST_SCHEMAS:
                self._compiled.popitem(last=False)
        return known[1]


def storable(value: Json) -> Storable:
    """Return `value`, with what no two systems keep alike replaced by a text that shows what it was."""
    cleaner = _Cleaner()
    return Storable(cleaner.cleaned(value, 0), tuple(sorted(cleaner.findings)))


class _Cleaner:
    def __init__(self) -> None:
        self.findings: set[str] = set()

    def cleaned(self, value: Json, depth: int) -> Json:
        if isinstance(value, dict | list | tuple):
            return self._container(cast("dict[str, Json] | list[Json]", value), depth)
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int) and abs(value) > SAFE_INTEGER:
            return self._replaced(str(value), "an integer beyond 2^53 - 1")
        if isinstance(value, float) and not math.isfinite(value):
            return self._replaced(None, "a number that is not finite")
        return value

    def _container(self, value: dict[str, Json] | list[Json], depth: int) -> Json:
        if depth >= DEEPEST:
            return self._replaced("...", f"nesting deeper than {DEEPEST}")
        if isinstance(value, dict):
            return {self._text(key): self.cleaned(member, depth + 1) for key, member in value.items()}
        return [self.cleaned(item, depth + 1) for item in value]

    def _text(self, text: str) -> str:
        if text.isascii() and "\x00" not in text:
            return text
        kept = text.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return text if kept == text else self._replaced(kept, "a character that cannot be kept")

    def _replaced(self, by: Json, what: str) -> Json:
        self.findings.add(f"The answer held {what}, which is shown as something else.")
        return by
