"""A catalog of believable tools, and what people would ask for them; half of the questions are held out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from connectors.sdk.spec import ConnectorSpec, OperationSpec
from connectors.smtp import connector as smtp
from connectors.tryton import connector as tryton
from hub.registry import Connection, Environment, Server, Tool, ToolVersion
from hub.registry.entries import Entry
from hub.registry.searching import Index
from hub.registry.snapshot import Shelf, Snapshot

Json = Any

SERVER: Final = Server(name="desk", environment=Environment.DEV, title="Desk", owner_id=None)
CONNECTION: Final = Connection(
    id="con_1",
    name="one",
    connector="any",
    environment=Environment.DEV,
    base_url="http://127.0.0.1:1",
    generation=1,
    owner_id=None,
    is_enabled=True,
    settings={},
)
_HERE: Final = Path(__file__).parent
_READS: Final = ("find", "get", "list", "report", "status", "lookup", "track", "compare", "check", "stats", "results")


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks, and the tools of which any one answers it."""

    text: str
    answers: frozenset[str]


def questions(language: str, *, held_out: bool) -> list[Question]:
    """Return the questions that the ranking was tuned on, or those that were held out of that."""
    return asked_in(_HERE / f"queries_{language}.tsv")[1 if held_out else 0 :: 2]


def desk_questions(language: str, *, held_out: bool) -> list[Question]:
    """Return what helpdesk and sales ask, written when the ranking stood: half was then looked at, half not."""
    return asked_in(_HERE / f"desk_{language}.tsv")[1 if held_out else 0 :: 2]


def asked_in(file: Path) -> list[Question]:
    """Return the questions of a file: on each line one, a tab, and the tools that answer it, with bars in between."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [Question(text, frozenset(names.split("|"))) for text, names in (line.split("\t") for line in lines)]


@cache
def connectors() -> Sequence[ConnectorSpec]:
    """Return the connectors of the catalog."""
    tools = dict[str, list[OperationSpec]]()
    for line in _HERE.joinpath("catalog.tsv").read_text(encoding="utf-8").splitlines():
        connector, name, title, description, fields = line.split("\t")
        tools.setdefault(connector, []).append(_operation(name, title, description, fields.split()))
    own = (tryton.spec, smtp.spec)
    return [*own, *(_connector(name, operations) for name, operations in tools.items())]


def snapshot(specs: Sequence[ConnectorSpec]) -> Snapshot:
    """Return a catalog that offers every operation of `specs` on one server; names that clash get a prefix."""
    entries = dict[str, Entry]()
    for spec in reversed(specs):
        for operation in spec.operations:
            name = operation.name if operation.name not in entries else f"{spec.name}_{operation.name}"
            entries[name] = entry(name, operation, spec)
    shelf = Shelf(entries=entries, names=sorted(entries))
    return Snapshot(generation=1, servers={SERVER.name: SERVER}, shelves={SERVER.name: shelf})


def entry(name: str, operation: OperationSpec, spec: ConnectorSpec) -> Entry:
    """Return `operation` as the server offers it."""
    tool = Tool(
        id=f"tol_{spec.name}_{operation.name}",
        name=operation.name,
        connector=spec.name,
        owner_id=None,
        owner_tier=None,
        raised_tier=None,
        quarantined=None,
    )
    version = ToolVersion(
        id=f"ver_{spec.name}_{operation.name}",
        tool_id=tool.id,
        number=1,
        digest="",
        spec=operation,
        connector_digest="",
        withdrawn=None,
    )
    return Entry(
        name=name,
        server=SERVER,
        tool=tool,
        version=version,
        connector=spec,
        connection=CONNECTION,
        also_on=frozenset({SERVER.name}),
    )


def found(index: Index, text: str, where: Snapshot, *, limit: int = 5) -> list[str]:
    """Return the names of what a search finds first."""
    return [one.name for one, _ in zip(index.ranked(text, where.shelves[SERVER.name]), range(limit), strict=False)]


def recall(index: Index, where: Snapshot, asked: Sequence[Question]) -> float:
    """Return the share of questions that one of the first five tools answers."""
    return sum(_is_answered(one, found(index, one.text, where)) for one in asked) / len(asked)


def _is_answered(question: Question, names: Sequence[str]) -> bool:
    return any(name.removeprefix("tryton_") in question.answers for name in names)


def _operation(name: str, title: str, description: str, fields: Sequence[str]) -> OperationSpec:
    is_read = name.endswith(_READS)
    given: dict[str, Json] = {
        "name": name,
        "title": title,
        "description": description,
        "effect": "read" if is_read else "update",
        "tier": "low" if is_read else "high",
        "input_schema": {"type": "object", "properties": dict(_properties(fields)), "additionalProperties": False},
        "output_schema": {"type": "object", "properties": {"id": {"type": "string"}}},
    }
    return OperationSpec.model_validate(given)


def _properties(fields: Sequence[str]) -> Iterator[tuple[str, Json]]:
    for name in fields:
        yield name, {"type": "string", "maxLength": 200}


def _connector(name: str, operations: Sequence[OperationSpec]) -> ConnectorSpec:
    return ConnectorSpec.model_validate(
        {
            "name": name,
            "version": "1.0.0",
            "title": name.title(),
            "description": f"The tools of {name}.",
            "entry": f"somewhere.{name}:connector",
            "artefact_digest": "a" * 64,
            "operations": [operation.model_dump() for operation in operations],
        }
    )
