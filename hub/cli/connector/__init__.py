"""`toolhub connector`: one file per command; each is added to the app here."""

import typer

from hub.cli.connector.check import check
from hub.cli.connector.connect import connect
from hub.cli.connector.correct import correct, try_it
from hub.cli.connector.import_odata import odata
from hub.cli.connector.import_sql import import_sql
from hub.cli.connector.importing import import_app
from hub.cli.connector.importing_mcp import mcp
from hub.cli.connector.listing import list_connectors
from hub.cli.connector.new import new
from hub.cli.connector.publish import publish
from hub.cli.connector.record import record
from hub.cli.connector.run import run
from hub.cli.connector.runner import runner_app
from hub.cli.connector.show import show

connector_app = typer.Typer(
    help="Connectors: write and check them, publish them, connect accounts.", no_args_is_help=True
)
connector_app.command("list")(list_connectors)
connector_app.command()(show)
connector_app.command()(new)
connector_app.command()(publish)
connector_app.command()(connect)
connector_app.command("try")(try_it)
connector_app.command()(correct)
connector_app.command()(check)
connector_app.command()(record)
connector_app.command()(run)
import_app.command()(mcp)
import_app.command()(odata)
import_app.command("sql")(import_sql)
connector_app.add_typer(import_app, name="import")
connector_app.add_typer(runner_app, name="runner")
