r"""The export's format: one line of canonical JSON for the header, then one for each event, each ending in "\n".

    {"checkpoint": NOTE, "count": N, "first": P, "format": "toolhub-audit-export/1", "keys": [KEY, ...],
     "since": null | {"checkpoint": NOTE, "proof": [HASH, ...]}, "values": "closed" | "open"}
    {"body": {...}, "position": P, "proof": [HASH, ...], "values": null | {FIELD: null | {"salt": B, "value": V}}}

* NOTE: a C2SP checkpoint; KEY: a C2SP verifier key; HASH and B: base64.
* The leaf of an event is the canonical JSON (RFC 8785) of its `body`; `proof` is its RFC 9162 inclusion proof at
  `position` in the tree of the header's checkpoint.
* `since.proof` is the RFC 9162 consistency proof from the older checkpoint to the header's.
* With open values, each field of `body.commitments` has its salt and value, or null once the value has been erased:
  SHA-256(salt || canonical JSON of the value) is the commitment.
* What is erased is named by an event `values.erased` of the log, its `facts` having {"because": "erasure" |
  "retention", "values": {ID: [FIELD, ...], ...}}; a null that no such event names is a missing value.
* The origin (the name of every KEY) is made from the log's first key; each further key is announced by an event
  `key.rotated` of the log, with the KEY as its fact `verifier`. A key that comes otherwise must be known beforehand.
* Every line is written in the one canonical way, so that no byte can be changed without a trace.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from hub.audit.notes import decode_base64
from hub.core.canonical import canonical_json, read_canonical
from hub.core.errors import Malformed

FORMAT: Final = "toolhub-audit-export/1"

_Count = Annotated[int, Field(ge=0)]


class Strict(BaseModel):
    """A line that has exactly what it should have."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Since(Strict):
    """The older checkpoint that the export begins at, and the proof that the log continues it."""

    checkpoint: str
    proof: tuple[str, ...] = Field(strict=False)


class Header(Strict):
    """The first line of an export."""

    checkpoint: str
    count: _Count
    first: _Count
    format: Literal["toolhub-audit-export/1"] = FORMAT
    keys: tuple[str, ...] = Field(strict=False)
    since: Since | None = None
    values: Literal["closed", "open"]


class Opened(Strict):
    """A private value with the salt of its commitment."""

    salt: str
    value: JsonValue


class EventLine(Strict):
    """One event of an export."""

    body: dict[str, JsonValue]
    position: _Count
    proof: tuple[str, ...] = Field(strict=False)
    values: dict[str, Opened | None] | None

    def commitments(self) -> dict[str, str]:
        """Return the commitments of the body by field.

        Raises:
            Malformed: the body has none where they belong.
        """
        found = self.body.get("commitments")
        if not isinstance(found, dict):
            raise Malformed("The event's body has no commitments.")
        commitments = {name: value for name, value in found.items() if isinstance(value, str)}
        if len(commitments) < len(found):
            raise Malformed("A commitment in the event's body is not a text.")
        return commitments


def header_line(header: Header) -> bytes:
    """Return the line that says `header`."""
    return canonical_json(header.model_dump()) + b"\n"


def event_line(body: bytes, position: int, proof: Sequence[bytes], values: Mapping[str, Any] | None) -> bytes:
    """Return the line of an event whose canonical body is `body`; its members stand in canonical order."""
    steps = json.dumps([base64.b64encode(step).decode() for step in proof], separators=(",", ":")).encode()
    opened = canonical_json(None if values is None else dict(values))
    return b'{"body":%b,"position":%d,"proof":%b,"values":%b}\n' % (body, position, steps, opened)


def read_header(line: bytes) -> Header:
    """Return the header that `line` says.

    Raises:
        Malformed: it is not the header of an export, or not written in the canonical way.
    """
    if not line.startswith(b'{"checkpoint":'):
        raise Malformed("This is no audit export: it does not begin as `toolhub audit export` writes it.")
    try:
        return Header.model_validate(read_line(line))
    except ValidationError as error:
        raise Malformed(f"This is not the header of an export: {first_problem(error)}") from error


def read_event(line: bytes) -> tuple[EventLine, bytes, list[bytes]]:
    """Return the event that `line` says, the canonical bytes of its body, and the steps of its proof.

    Raises:
        Malformed: it is not an event line, or not written in the canonical way.
    """
    try:
        event = EventLine.model_validate(read_line(line))
    except ValidationError as error:
        raise Malformed(f"This is not an event: {first_problem(error)}") from error
    return event, canonical_json(event.body), decode_proof(event.proof)


def decode_proof(steps: Sequence[str]) -> list[bytes]:
    """Return the hashes of a proof.

    Raises:
        Malformed: not canonical base64.
    """
    return [decode_base64(step) for step in steps]


def read_line(line: bytes) -> Any:  # noqa: ANN401  # any JSON value
    """Return the JSON that `line` is.

    Raises:
        Malformed: it breaks off, or is not written in the canonical way.
    """
    if not line.endswith(b"\n"):
        raise Malformed("The line breaks off.")
    return read_canonical(line[:-1])


def first_problem(error: ValidationError) -> str:
    """Return in words the first thing that is wrong with a line."""
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"/{'/'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
