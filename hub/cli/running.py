"""Running one command: what goes wrong outside the hub (files, networks, databases) ends it with a sentence."""

import sys

import typer
from sqlalchemy.exc import SQLAlchemyError

from connectors.sdk.signature import BadDeclaration
from hub.cli.console import has_no_tables, told
from hub.core.errors import HubError


def run(app: typer.Typer) -> None:
    """Run what the words of this process name."""
    try:
        app()
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
