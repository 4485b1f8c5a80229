"""`toolhub demo`: the main job from end to end, against a real ERP, with a real agent, on this machine."""

import socket
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.console import fail


def demo(
    *,
    unattended: Annotated[
        bool, typer.Option("--unattended", help="A script approves too; ends by itself, with exit code 0.")
    ] = False,
    port: Annotated[int | None, typer.Option(help="The hub's port; default: any free one.")] = None,
    home: Annotated[Path | None, typer.Option(help="Keep this run's data, logs and audit export in DIR.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what happened as JSON; the story goes to stderr.")
    ] = False,
) -> None:
    """Play the whole story: an agent's writes through previews, approvals and commits into a real Tryton.

    Everything is new for each run and on loopback: a Tryton with a small company, a hub, accounts, a LangGraph agent.
    By default you approve one write yourself, and the hub goes on running until Ctrl-C.

    Examples:
      toolhub demo

      toolhub demo --unattended

      toolhub demo --unattended --json --home var/demo
    """
    try:
        from hub.cli.demo.run import Wish, run_demo  # noqa: PLC0415  # needs what only a checkout has
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("connectors.tryton_server"):
            raise
        fail("The demo runs from a checkout of the sources, which alone can set up a Tryton: `make demo`.")
    if port:
        _refuse_taken(port)
    run_demo(Wish(is_unattended=unattended, port=port, home=home, as_json=as_json))


def _refuse_taken(port: int) -> None:
    """End the demo before it makes anything, if the hub could not be where it is wanted."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        fail(f"The hub cannot listen on port {port}: {error.strerror}. Choose another --port, or leave it out.")
