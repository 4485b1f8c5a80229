"""The command line of the hub, `toolhub`: one file per command, the domain untouched by any of them."""

import sys

import typer
from sqlalchemy.exc import OperationalError, ProgrammingError, SQLAlchemyError

from connectors.sdk.signature import BadDeclaration
from hub.cli.account import account_app
from hub.cli.audit import audit_app
from hub.cli.connector import connector_app
from hub.cli.console import told
from hub.cli.demo import demo
from hub.cli.doctor import doctor
from hub.cli.keys import keys_app
from hub.cli.migrate import migrate
from hub.cli.policy import policy_app
from hub.cli.serve import serve
from hub.cli.work import worker
from hub.core.errors import HubError

app = typer.Typer(
    name="toolhub",
    help="The hub: agents propose writes, people approve exactly what was previewed, anybody can verify what happened.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,  # locals may hold secrets
)
app.command()(serve)
app.command()(worker)
app.command()(migrate)
app.command()(doctor)
app.command()(demo)
app.add_typer(account_app, name="account")
app.add_typer(audit_app, name="audit")
app.add_typer(connector_app, name="connector")
app.add_typer(keys_app, name="keys")
app.add_typer(policy_app, name="policy")


def main() -> None:
    """Run the command line; what goes wrong outside the hub (files, networks, databases) ends it with a sentence."""
    try:
        app()
    except HubError as error:
        sys.exit(told(error.message))
    except (BadDeclaration, OSError, SQLAlchemyError) as error:
        sys.exit(told(_sentence(error)))


def _sentence(error: BadDeclaration | OSError | SQLAlchemyError) -> str:
    match error:
        case OperationalError() | ProgrammingError() if "no such table" in str(error) or "UndefinedTable" in str(error):
            return "The database has no tables yet. Run `toolhub migrate` first; on SQLite `toolhub serve` does it too."
        case SQLAlchemyError():
            return f"The database cannot be used: {str(error).splitlines()[0]}. See TOOLHUB_DATABASE_URL."
        case OSError(filename=str(file)):
            return f"{file}: {error.strerror or error}."
        case _:
            return str(error)
