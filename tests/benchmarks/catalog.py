"""`python -m benchmarks.catalog`: what a catalog of 10,000 tools costs, beside a plain list of them in memory.

It is processor time of this process that is measured, all of its threads, so that a busy machine says the same.
"""

import argparse
import asyncio
import gc
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from relevance import asked_in, connectors, desk_questions, found, questions, recall, snapshot
from rich import box
from rich.console import Console
from rich.table import Table
from world import MASTER_KEY

from connectors.openapi import Importing, Unreadable, compile_document, read_document
from connectors.sdk.spec import ConnectorSpec, OperationSpec
from hub.identity.authority import Authority
from hub.identity.principals import Caller, Principal, PrincipalKind
from hub.keys import Keyring
from hub.mcp.listing import PAGE, describe_tool
from hub.registry import Catalog, Environment, NewConnection, create_connection, register_connector, tools
from hub.registry.keeping import quarantine, release
from hub.registry.searching import Index
from hub.storage import Database
from hub.storage.migrations import upgrade

Json = Any

TOOLS: Final = 10_000
EACH: Final = 500
ROUNDS: Final = 30
SERVER: Final = "everything-dev"
AREAS: Final = [
    *("north", "south", "east", "west", "retail", "wholesale", "export"),
    *("import", "spare", "seasonal", "premium", "basic", "legacy", "pilot"),
]

out = Console(width=120)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was measured: milliseconds of the hub's, and of the plain list's if it has any."""

    name: str
    hub: float
    plain: float | None = None


def caller(kind: PrincipalKind) -> Caller:
    """Return somebody: a person sees every tool, and this agent may use none."""
    who = Principal(
        id="one",
        kind=kind,
        name="one",
        display_name="One",
        groups=frozenset(),
        roles=frozenset(),
        owner_id=None,
        is_suspended=False,
    )
    return Caller(actor=who)


def anybody() -> Caller:
    """Return a person."""
    return caller(PrincipalKind.USER)


def many(count: int) -> Iterator[ConnectorSpec]:
    """Yield connectors of `count` believable tools: those of the relevance test, for one area after another."""
    known = [*{operation.name: operation for spec in connectors() for operation in spec.operations}.values()]
    made = [_for_area(known[at % len(known)], at // len(known)) for at in range(count)]
    for start in range(0, count, EACH):
        yield _connector(f"part{start // EACH}", made[start : start + EACH])


def _for_area(operation: OperationSpec, area: int) -> OperationSpec:
    word = f"{AREAS[area % len(AREAS)]}{area // len(AREAS) or ''}"
    return OperationSpec.model_validate(
        {
            **operation.model_dump(exclude={"compensation", "reversal", "residue", "binding"}),
            "name": f"{operation.name[:28]}_{word}",
            "title": f"{operation.title} ({word})",
            "description": f"{operation.description} For {word} business.",
        }
    )


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


async def fill(database: Database, count: int) -> Authority:
    """Register and connect `count` tools."""
    authority = Authority(database=database, keys=await Keyring.open(database, MASTER_KEY))
    for number, spec in enumerate(many(count)):
        async with database.transaction() as tx:
            await register_connector(tx, spec, authority)
            new = NewConnection(
                name=spec.name,
                connector=spec.name,
                environment=Environment.DEV,
                base_url="http://127.0.0.1:1",
                prefix=f"p{number}_",
            )
            await create_connection(tx, new, authority)
    return authority


async def measured(url: str, count: int) -> list[Line]:
    """Return what was measured of a database with `count` tools."""
    database = Database(url)
    await upgrade(database)
    authority = await fill(database, count)
    gc.collect()
    before = _megabytes()
    catalog, lines = Catalog(database), list[Line]()
    started = time.process_time()
    everything = await catalog.page(server=SERVER, caller=anybody(), limit=1)
    lines.append(Line("start: the whole catalog, read from SQLite", _since(started)))
    started = time.process_time()
    await catalog.search("refund", caller=anybody(), server=SERVER)
    lines.append(Line("start: the index of the search", _since(started)))
    lines.append(Line("memory of both (MB, not ms)", _megabytes() - before))
    assert everything
    lines += await _reads(catalog, await _plain(catalog))
    lines += await _changes(catalog, database, authority)
    await database.close()
    return lines


async def _plain(catalog: Catalog) -> list[dict[str, Json]]:
    everything = await catalog.page(server=SERVER, caller=anybody(), limit=TOOLS)
    return [{"name": one.name, "title": one.title, "description": one.description} for one in everything]


async def _reads(catalog: Catalog, plain: Sequence[dict[str, Json]]) -> list[Line]:
    everybody, nobody = anybody(), caller(PrincipalKind.AGENT)
    asked = [one.text for language in ("en", "zh") for one in questions(language, held_out=False)]
    return [
        Line(
            "tools/list: first page of 100, described",
            await _median(ROUNDS, lambda _: _first_page(catalog, everybody)),
            await _median(ROUNDS, lambda _: _now(lambda: [dict(one) for one in plain[:PAGE]])),
        ),
        Line(
            "tools/list: a page for an agent that may use none of them",
            await _median(ROUNDS, lambda _: _first_page(catalog, nobody)),
        ),
        Line(
            "hub_find_tools: the median question",
            await _median(len(asked), lambda at: catalog.search(asked[at], caller=everybody, server=SERVER, limit=8)),
            await _median(len(asked), lambda at: _now(lambda: _scan(plain, asked[at]))),
        ),
        Line(
            "hub_find_tools: the slowest of them",
            await _slowest(len(asked), lambda at: catalog.search(asked[at], caller=everybody, server=SERVER, limit=8)),
            await _slowest(len(asked), lambda at: _now(lambda: _scan(plain, asked[at]))),
        ),
    ]


async def _changes(catalog: Catalog, database: Database, authority: Authority) -> list[Line]:
    """Return what the first request after a change of one tool waits for."""
    async with database.reading() as tx:
        ids = [one.id for one in (await tools(tx))[:ROUNDS]]
    listed, searched = list[float](), list[float]()
    for tool_id in ids:
        for is_held in (True, False):
            async with database.transaction() as tx:
                if is_held:
                    await quarantine(tx, tool_id, "odd", authority)
                else:
                    await release(tx, tool_id, authority)
            started = time.process_time()
            await catalog.page(server=SERVER, caller=anybody(), limit=PAGE)
            listed.append(_since(started))
            started = time.process_time()
            await catalog.search("give a customer money back", caller=anybody(), server=SERVER, limit=8)
            searched.append(_since(started))
    return [
        Line("the first list after a change of one tool", statistics.median(listed)),
        Line("the first search after it", statistics.median(searched)),
    ]


async def _first_page(catalog: Catalog, caller: Caller) -> object:
    return [describe_tool(tool) for tool in await catalog.page(server=SERVER, caller=caller, limit=PAGE)]


async def _now(action: Callable[[], object]) -> object:
    return action()


def _scan(plain: Sequence[dict[str, Json]], text: str) -> list[str]:
    words = text.lower().split()
    return [one["name"] for one in plain if any(word in one["description"].lower() for word in words)][:8]


async def _timed(rounds: int, action: Callable[[int], Awaitable[object]]) -> list[float]:
    taken = list[float]()
    for at in range(rounds):
        started = time.process_time()
        await action(at)
        taken.append(_since(started))
    return taken


async def _median(rounds: int, action: Callable[[int], Awaitable[object]]) -> float:
    return statistics.median(await _timed(rounds, action))


async def _slowest(rounds: int, action: Callable[[int], Awaitable[object]]) -> float:
    return max(await _timed(rounds, action))


def _since(started: float) -> float:
    return (time.process_time() - started) * 1000


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def relevance(folder: Path | None, own_questions: Path | None) -> Iterator[tuple[str, str, int, float]]:
    """Yield the recall at 5 of each half of the questions, and among the tools of API documents if a folder has any."""
    own = connectors()
    vendors = [*_imported(folder)] if folder else []
    for name, specs in (("our list", own), ("with vendors' APIs", [*vendors, *own])):
        if specs is own or vendors:
            where, index = snapshot(specs), Index()
            index.follow(where)
            for language in ("en", "zh"):
                for half in (False, True):
                    label = "held out" if half else "tuned on"
                    for kind, ask in (("", questions), (" of a helpdesk", desk_questions)):
                        asked = ask(language, held_out=half)
                        yield f"{name}, {language}{kind}", label, len(asked), recall(index, where, asked)
            assert found(index, "refund", where)
    if vendors and own_questions:
        where, index = snapshot(vendors), Index()
        index.follow(where)
        asked = asked_in(own_questions)
        yield "vendors' APIs alone", "of a file", len(asked), recall(index, where, asked)


def _imported(folder: Path) -> Iterator[ConnectorSpec]:
    """Yield each document as a connector of all its operations; what is imported exposes none by itself."""
    for number, file in enumerate(sorted(one for one in folder.iterdir() if one.suffix in {".json", ".yaml", ".yml"})):
        try:
            compiled = compile_document(read_document(file.read_bytes()), Importing(name=f"vendor{number}"))
        except (Unreadable, ValueError):
            continue
        yield compiled.spec.model_copy(update={"operations": tuple(tool.spec for tool in compiled.tools)})


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--tools", type=int, default=TOOLS)
    parser.add_argument("--documents", type=Path, default=None, help="A folder of API documents to search among, too.")
    parser.add_argument("--questions", type=Path, default=None, help="A file of questions about those documents.")
    parser.add_argument("--json", action="store_true", help="Print the milliseconds as JSON.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{folder}/hub.sqlite"
        lines = asyncio.run(measured(url, given.tools))
    if given.json:
        json.dump({line.name: round(line.hub, 3) for line in lines}, sys.stdout)
        return
    table = Table("a catalog of", "the hub, ms", "a plain list, ms", title=f"{given.tools} tools", box=box.SIMPLE)
    for line in lines:
        table.add_row(line.name, f"{line.hub:.2f}", "" if line.plain is None else f"{line.plain:.2f}")
    out.print(table)
    table = Table("questions", "half", "how many", "recall at 5", box=box.SIMPLE)
    for name, half, count, share in relevance(given.documents, given.questions):
        table.add_row(name, half, str(count), f"{share:.3f}")
    out.print(table)


if __name__ == "__main__":
    main()
