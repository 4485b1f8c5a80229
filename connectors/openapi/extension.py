"""What an owner says of an operation in an overlay, under the one key `x-hub`."""

from collections.abc import Mapping
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.openapi.document import HUB, Object
from connectors.sdk.faults import first_fault
from connectors.sdk.spec import Idempotency
from connectors.sdk.vocabulary import Effect, Reversal, Tier

Json = Any
"""Any JSON value."""


class BadWord(ValueError):
    """What the owner says cannot be followed; the message says why."""


class _Word(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrialStep(_Word):
    """One request of a trial: its operation, and where its arguments come from.

    `arguments` are pointers into `{"input": arguments, "given": what is written, "trial": a new name, "opened": the id
    of the draft}`; `constants` are the same each time.
    """

    operation: str
    arguments: Mapping[str, str] = {}
    constants: Mapping[str, Json] = {}


class TrialBy(_Word):
    """A draft of the API's own, in which a write is carried out and looked at: opened, written, read, removed.

    `opened` leads to the draft's id in the answer to `open`. Only the draft that a preview has opened may be written
    to or removed by it; the broker sees to that.
    """

    open: TrialStep
    opened: str = Field(pattern="^/")
    write: TrialStep
    look: TrialStep
    close: TrialStep


class PreviewBy(_Word):
    """The read that shows the record as it is: its operationId (or `GET /path`), and where its arguments come from.

    `arguments` are JSON pointers into `{"input": arguments, "output": answer}`; those of the same name as the write's
    need none. `record` leads to the record in the answer, and `volatile` are members that the API changes by itself.
    """

    read: str
    arguments: Mapping[str, str] = {}
    record: str = ""
    volatile: tuple[str, ...] = ()
    trial: TrialBy | None = None
    not_covered: tuple[str, ...] = ()


class GuardBy(_Word):
    """Where the version of a record is read (`etag`, or a pointer into the record), and where the write says it.

    `name` may be a pointer into the body. `empty` is for an API that does not refuse a condition that no longer holds,
    but changes nothing: it leads to the list in the answer that is empty then.
    """

    read: str = Field(pattern="^(etag|/.+)$")
    place: Literal["header", "query", "body"] = Field(default="header", alias="in")
    name: str = "If-Match"
    empty: str | None = Field(default=None, pattern="^/")


class UndoBy(_Word):
    """The operation that undoes this one, and where its arguments come from: pointers into the receipt."""

    operation: str
    arguments: Mapping[str, str] = {}
    kind: Literal[Reversal.EXACT, Reversal.PARTIAL] = Reversal.PARTIAL
    residue: tuple[str, ...] = ()
    window_seconds: int | None = Field(default=None, ge=1)


class OwnersWord(_Word):
    """All that an owner may say of an operation; without `expose` it is not published.

    `tier_when` are conditions in CEL over `input` that raise the tier of one call.
    `members` says by pointers where members of the body stand in what is sent, if not at its top; `rest` where all
    others do. `absent` are statuses that say of a record that it is not there, or not to be seen: they look alike.
    `dry_run` says that the system only looks at a write whose query asks for that, by the parameter that the document
    has for it: that its vendor calls one so proves nothing.
    """

    expose: bool = False
    tier: Tier | None = None
    tier_when: Mapping[Tier, str] = {}
    effect: Effect | None = None
    scopes: tuple[str, ...] | None = None
    preview: PreviewBy | None = None
    dry_run: bool = False
    guard: GuardBy | Literal["etag"] | None = None
    idempotency: Idempotency | None = None
    undo: UndoBy | None = None
    members: Mapping[str, str] = {}
    rest: str = ""
    absent: tuple[int, ...] = ()


def owners_word(said: Json) -> OwnersWord:
    """Return what stands under `x-hub`.

    Raises:
        BadWord: it says something that is not known.
    """
    if said is None:
        return OwnersWord()
    try:
        return OwnersWord.model_validate(said)
    except ValidationError as error:
        raise BadWord(f"{HUB}: {first_fault(error)}") from error


def without_owners_words(root: Mapping[str, Json]) -> tuple[Object, int]:
    """Return the document without `x-hub`, and how many there were: its author is not the owner of the connector.

    It is taken away wherever it stands: references lead an operation to any place of the document.
    """
    plain, removed = dict(root), 0
    waiting: list[Json] = [plain]
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, dict) and HUB in holder:
            del holder[HUB]
            removed += 1
        members = cast("Object", holder).items() if isinstance(holder, dict) else enumerate(cast("list[Json]", holder))
        for place, member in [*members]:
            if isinstance(member, dict | list):
                holder[place] = cast("Json", member).copy()
                waiting.append(holder[place])
    return plain, removed
