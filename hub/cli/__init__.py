"""The command line of the hub, `toolhub`: one file per command, the domain untouched by any of them."""

import typer

from hub.cli.account import account_app
from hub.cli.audit import audit_app
from hub.cli.connector import connector_app
from hub.cli.demo import demo
from hub.cli.doctor import doctor
from hub.cli.keys import keys_app
from hub.cli.migrate import migrate
from hub.cli.serve import serve
from hub.cli.work import worker

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


def main() -> None:
    """Run the command line."""
    app()
