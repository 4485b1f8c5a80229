"""One run of the demo, from nothing to its table: everything is started, played, compared and ended again."""

import asyncio
import json
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Final

import httpx2
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from connectors.tryton_server import DidNotStart, TrytonSays, TrytonServer
from hub.cli.demo import environments
from hub.cli.demo.balance import Balance, as_json, as_table, balance
from hub.cli.demo.checking import check_tools
from hub.cli.demo.hub_process import HubProcess
from hub.cli.demo.proof import Proof, prove
from hub.cli.demo.record import recorded_calls
from hub.cli.demo.settling import CAST, Settled, settle
from hub.cli.demo.stage import Ready, set_stage
from hub.cli.demo.story import play
from hub.cli.demo.telling import Teller, Unexpected
from hub.core.errors import HubError

_WIDTH: Final = 140
_INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was asked for on the command line."""

    is_unattended: bool
    port: int | None
    home: Path | None
    as_json: bool


def run_demo(wish: Wish) -> None:
    """Run the demo; what does not go as it must ends it with exit code 1, and leaves its logs and data."""
    teller = Teller(_console(on_stderr=wish.as_json))
    for ending in (signal.SIGTERM, signal.SIGINT):  # a shell's background jobs begin with Ctrl-C ignored
        signal.signal(ending, _interrupt)  # so that children are ended then, too
    home = _home(wish.home)
    try:
        _run(wish, teller, home)
    except (Unexpected, HubError, DidNotStart, TrytonSays, httpx2.HTTPError) as error:
        teller.console.print(f"\n[bold red]The demo went wrong:[/] {escape(str(error))}", highlight=False)
        teller.console.print(f"Its logs and data are in {home}.", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        teller.console.print("\nInterrupted; everything that was started has been ended.")
        _clear(wish, home)
        raise typer.Exit(_INTERRUPTED) from None
    _clear(wish, home)


def _run(wish: Wish, teller: Teller, home: Path) -> None:
    teller.scene("Everything is started")
    langgraph = environments.langgraph(teller.starting)
    installation = environments.tryton(teller.starting)
    with ExitStack() as stack:
        tryton = TrytonServer(installation, home / "tryton")
        with teller.doing("Tryton 8 runs, with a copy of the seeded company"):
            stack.enter_context(tryton)
        with teller.doing("The contract kit does and undoes a write in another copy, which earns its tool a badge"):
            badge = asyncio.run(check_tools(installation, home / "proving-ground"))
        hub = HubProcess(home / "hub", wish.port)
        with teller.doing("Accounts, the agent, the Tryton connector and its connection are made"):
            password = tryton.passwords["hub"]
            settled = asyncio.run(settle(hub, tryton_url=tryton.base_url, tryton_password=password, badge=badge))
        with teller.doing(f"The hub runs at {hub.url}"):
            stack.enter_context(hub)
        _introduce(teller, hub, settled)
        ready = Ready(
            teller=teller,
            hub=hub,
            tryton=tryton,
            settled=settled,
            langgraph=langgraph,
            is_unattended=wish.is_unattended,
        )
        with set_stage(ready) as stage:
            play(stage)
        proof = prove(hub, teller)
        found = _compare(proof, tryton)
        _show(wish, teller, found, proof)
        if not wish.is_unattended:
            _serve(teller, hub)


def _serve(teller: Teller, hub: HubProcess) -> None:
    told = f"\nThe hub goes on at {hub.url}; log in and look around. Ctrl-C ends it."
    try:
        teller.console.print(told, highlight=False, soft_wrap=True)
        hub.wait()
    except KeyboardInterrupt:
        teller.console.print("\nEnded.")


def _console(*, on_stderr: bool) -> Console:
    """Return a console that is wide enough for tables where nobody says how wide it is."""
    console = Console(stderr=on_stderr)
    return console if console.is_terminal else Console(stderr=on_stderr, width=_WIDTH)


def _introduce(teller: Teller, hub: HubProcess, settled: Settled) -> None:
    teller.console.print(f"\nAccounts at {hub.url}, for this run only:", highlight=False, soft_wrap=True)
    table = Table()
    for heading in ("name", "password", "groups", "part"):
        table.add_column(heading, overflow="fold")
    for part in CAST:
        table.add_row(part.name, escape(settled.passwords[part.name]), ", ".join(part.groups) or "-", part.does)
    teller.console.print(table)


def _compare(proof: Proof, tryton: TrytonServer) -> Balance:
    person = tryton.person("clerk")  # a login of its own, which the hub has no part in
    try:
        return balance(recorded_calls(proof.file), person)
    finally:
        person.close()


def _show(wish: Wish, teller: Teller, found: Balance, proof: Proof) -> None:
    teller.console.print()
    teller.console.print(as_table(found, proof))
    if wish.as_json:
        sys.stdout.write(json.dumps(as_json(found, proof), indent=2) + "\n")
        sys.stdout.flush()
    if found.differences:
        raise Unexpected("The audit export and Tryton differ:\n  " + "\n  ".join(found.differences))


def _home(wanted: Path | None) -> Path:
    """Return an empty folder: a temporary one, or a new one for this run in the folder that was asked for."""
    if wanted is None:
        return Path(tempfile.mkdtemp(prefix="toolhub-demo-"))
    wanted.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now().astimezone().strftime("%Y-%m-%d-%H%M%S-")
    return Path(tempfile.mkdtemp(prefix=stamp, dir=wanted.resolve()))


def _clear(wish: Wish, home: Path) -> None:
    if wish.home is None:
        shutil.rmtree(home)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
