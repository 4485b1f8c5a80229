"""The command line of the hub, `toolhub`: one file per command, the domain untouched by any of them."""

import gc
import os
import sys
from importlib import import_module
from itertools import takewhile
from typing import Any, Final

import typer

_COMMANDS: Final = {
    "serve": "hub.cli.serve:serve",
    "worker": "hub.cli.work:worker",
    "migrate": "hub.cli.migrate:migrate",
    "doctor": "hub.cli.doctor:doctor",
    "demo": "hub.cli.demo:demo",
    "account": "hub.cli.account:account_app",
    "audit": "hub.cli.audit:audit_app",
    "backup": "hub.cli.backup:backup",
    "composite": "hub.cli.composite:composite_app",
    "connector": "hub.cli.connector:connector_app",
    "keys": "hub.cli.keys:keys_app",
    "metrics": "hub.cli.metrics:metrics_app",
    "pins": "hub.cli.pins:pins_app",
    "policy": "hub.cli.policy:policy_app",
    "promotion": "hub.cli.promotion:promotion_app",
    "server": "hub.cli.server:server_app",
}
"""Where each command is. Only the one that is used is imported: one of them brings web frameworks, another a parser."""
_SAID: Final = {
    "serve": "Serve the hub: the MCP endpoints, the authorization server, the API and the web pages.",
    "worker": "Work beside `toolhub serve`: commits what was approved, resumes after crashes, expires, "
    "seals the audit log.",
    "migrate": "Bring the database to the schema of this release.",
    "doctor": "Look at settings, database, keys and confinement; say what is wrong and what to do. "
    "Exit 1 if anything is.",
    "demo": "Play the whole story: an agent's writes through previews, approvals and commits into a real Tryton.",
    "account": "Accounts of people.",
    "audit": "The audit log: export it, and verify an export anywhere.",
    "backup": "Copy the embedded database to one file and check the copy; the hub may go on meanwhile.",
    "composite": "Tools made of steps: one preview, one approval, and the steps done before a failure are taken back.",
    "connector": "Connectors: write and check them, publish them, connect accounts.",
    "keys": "The hub's own keys: which there are, and replacing one.",
    "metrics": "Governance metrics: rates, times and costs, each with its formula.",
    "pins": "Pins: what federated MCP servers say now and nobody has accepted.",
    "policy": "The rules that decide: show, try and publish them, and ask the record what others would change.",
    "promotion": "Promotion of a connector's releases: dev to staging to prod.",
    "server": "Servers: bundles of tools, each at one MCP address.",
}
"""What each command says of itself first, so that the list of them needs none of them."""


def command_line(*names: str) -> typer.Typer:
    """Return the command line with these commands, or with every one there is."""
    app = _empty()
    for name in names or _COMMANDS:
        module, _, attribute = _COMMANDS[name].partition(":")
        command: Any = getattr(import_module(module), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def outline() -> typer.Typer:
    """Return the command line as its help lists it: every command with what it says of itself, and none to run."""
    app = _empty()
    for name, said in _SAID.items():
        app.command(name, help=said)(_elsewhere)
    return app


def _empty() -> typer.Typer:
    app = typer.Typer(
        name="toolhub",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_show_locals=False,  # locals may hold secrets
    )
    app.callback()(_toolhub)
    return app


def _toolhub() -> None:
    """The hub: agents propose writes, people approve exactly what was previewed, anybody can verify what happened."""


def _elsewhere() -> None:
    """Stand for a command that is not imported."""


def _wanted() -> str | None:
    """Return the command that the words of this process name; None: they ask for the list, or name none there is."""
    words = sys.argv[1:]
    options = list(takewhile(lambda word: word.startswith("-"), words))
    first = next(iter(words[len(options) :]), "")
    return first if first in _COMMANDS and "--help" not in options else None


def main() -> None:
    """Run the command line; of one command, with nothing imported that it does not need."""
    if "_TOOLHUB_COMPLETE" in os.environ:
        command_line()()
        return
    if (name := _wanted()) is None:
        outline()()
        return
    gc.disable()  # nothing that imports make is garbage, and looking for some there takes a quarter of a start
    import_module("hub.cli.logs").configure_logs()  # first, for the logger's own way is to draw every local variable
    run, app = import_module("hub.cli.running").run, command_line(name)
    gc.freeze()
    gc.enable()
    run(app)
