"""`toolhub connector new`: a project for a connector, with a stand-in system, tests and a CI workflow."""

import sys
from importlib.metadata import version
from keyword import iskeyword
from pathlib import Path
from shlex import quote
from typing import Annotated, Final

import typer

from hub.cli.connector.naming import checked_name
from hub.cli.console import fail, out

_TEMPLATE: Final = Path(__file__).parent / "template"
_TAKEN: Final = sys.stdlib_module_names | {"connectors", "hub", "sandbox", "schemas", "tests"}
"""The project's package is called like the connector, and would hide these or be hidden by them."""


def new(
    name: Annotated[str, typer.Argument(help="The connector's name: lower case letters, digits and _.")],
    folder: Annotated[Path | None, typer.Argument(help="Where to write the project; default: ./NAME.")] = None,
    title: Annotated[str | None, typer.Option(help="What people call the system.")] = None,
) -> None:
    """Write a project for a new connector: a read, a write with preview, guard and undo, and tests that pass.

    Examples:
      toolhub connector new acme_crm

      toolhub connector new acme_crm ~/acme --title "Acme CRM"
    """
    from copier import run_copy  # noqa: PLC0415  # half a second that no other command needs

    target = folder or Path(name)
    if checked_name(name) in _TAKEN or iskeyword(name):
        fail(f"{name!r} cannot be a connector's name: Python or the hub has a module or a word of that name already.")
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        fail(f"{target} is there already and no empty folder; choose another one.")
    called = " ".join((title or name.replace("_", " ").capitalize()).replace('"', "'").replace("\\", "/").split())
    data = {"name": name, "title": called, "toolhub_version": version("toolhub")}
    run_copy(str(_TEMPLATE), target, data=data, defaults=True, quiet=True)
    out.print(f"[green]Written[/] to {target}. Next:")
    out.print(f"  cd {quote(str(target))} && pip install --editable . --group test && pytest", highlight=False)
