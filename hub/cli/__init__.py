"""The command line of the hub, `toolhub`: one file per command, the domain untouched by any of them."""

import os
import sys
from importlib import import_module
from typing import Any, Final

import typer
from sqlalchemy.exc import SQLAlchemyError

from connectors.sdk.signature import BadDeclaration
from hub.cli.console import has_no_tables, told
from hub.cli.logs import configure_logs
from hub.core.errors import HubError

_COMMANDS: Final = {
    "serve": "hub.cli.serve:serve",
    "worker": "hub.cli.work:worker",
    "migrate": "hub.cli.migrate:migrate",
    "doctor": "hub.cli.doctor:doctor",
    "demo": "hub.cli.demo:demo",
    "account": "hub.cli.account:account_app",
    "audit": "hub.cli.audit:audit_app",
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


def command_line(*names: str) -> typer.Typer:
    """Return the command line with these commands, or with every one there is."""
    app = typer.Typer(
        name="toolhub",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_show_locals=False,  # locals may hold secrets
    )
    app.callback()(_toolhub)
    for name in names or _COMMANDS:
        module, _, attribute = _COMMANDS[name].partition(":")
        command: Any = getattr(import_module(module), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _toolhub() -> None:
    """The hub: agents propose writes, people approve exactly what was previewed, anybody can verify what happened."""


def _wanted() -> list[str]:
    """Return the command that the words of this process name; nothing means that all must be known."""
    first = sys.argv[1:2]
    is_known = set(first) <= _COMMANDS.keys() and "_TOOLHUB_COMPLETE" not in os.environ
    return first if is_known else []


def main() -> None:
    """Run the command line; what goes wrong outside the hub (files, networks, databases) ends it with a sentence."""
    configure_logs()  # first, for the logger's own way is to draw tracebacks with every local variable, on stdout
    try:
        command_line(*_wanted())()
    except HubError as error:
        sys.exit(told(error.message))
    except (BadDeclaration, OSError, SQLAlchemyError) as error:
        sys.exit(told(_sentence(error)))


def _sentence(error: BadDeclaration | OSError | SQLAlchemyError) -> str:
    match error:
        case SQLAlchemyError() if has_no_tables(error):
            return "The database has no tables yet. Run `toolhub migrate` first; on SQLite `toolhub serve` does it too."
        case SQLAlchemyError():
            return f"The database cannot be used: {str(error).splitlines()[0]}. See TOOLHUB_DATABASE_URL."
        case OSError(filename=str(file)):
            return f"{file}: {error.strerror or error}."
        case _:
            return str(error)
