"""`toolhub backup`: a copy of the embedded database, made while the hub runs."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from sqlalchemy.engine import make_url

from hub.cli.console import err, fail, out, settings
from hub.core.errors import HubError
from hub.opening import missing_database
from hub.storage.copying import copy_database


def backup(file: Annotated[Path, typer.Argument(help="A new file for the copy.")]) -> None:
    """Copy the embedded database to one file and check the copy; the hub may go on meanwhile.

    The master key is not in it: keep that apart. PostgreSQL has tools of its own, such as `pg_dump`.

    Example:  toolhub backup /mnt/backups/toolhub-monday.db
    """
    chosen = settings()
    if not chosen.database.startswith("sqlite"):
        fail("The database of this hub is PostgreSQL: back it up with its own tools, such as `pg_dump`.")
    if (missing := missing_database(chosen)) is not None:
        fail(f"There is no database at {missing}. See TOOLHUB_HOME and TOOLHUB_DATABASE_URL.")
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("Copying", total=None)
        try:
            copy_database(
                Path(str(make_url(chosen.database).database)),
                file,
                lambda done, of_all: progress.update(task, completed=done, total=of_all),
            )
        except HubError as error:
            fail(error.message)
    size = file.stat().st_size / 1_000_000
    out.print(f"[green]Copied[/] to {file} ({size:.1f} MB), and checked: it is whole.", highlight=False)
    out.print("The master key is not in it; without that key its secrets are lost. Keep it apart.", style="dim")
