"""`toolhub connector run`: one connector alone as an MCP server."""

import os
from typing import Annotated

import typer
import uvicorn

from connectors.sdk.harness import PlainHarness
from connectors.sdk.spec import ConnectorSpec
from hub.cli.connector.installed import declared
from hub.cli.connector.trying import equipment
from hub.cli.console import err, fail, settings
from hub.cli.console import run as run_until_done
from hub.invocations.proving.laboratory import open_laboratory
from hub.mcp.alone import Alone
from hub.settings import Settings


def run(
    name: Annotated[str, typer.Argument(help="An installed connector's name, or module:name.")],
    on: Annotated[str, typer.Option(help="The system's base URL.")],
    port: Annotated[int | None, typer.Option(help="Serve streamable HTTP on this port; default: stdio.")] = None,
) -> None:
    """Serve one connector alone over MCP: on standard input and output, or on a port of this machine.

    There are no people, no policy and no record here: whoever reaches it may write. Each write declares under
    dev.toolhub/operation which tools preview, observe and look it up, and what undoes it; a hub whose owner vouches for
    it takes it in with all of that. The credential comes from TOOLHUB_SECRET_<FIELD>.

    Examples:
      toolhub connector run acme_crm --on https://crm.example/api

      toolhub connector run acme_crm --on https://crm.example/api --port 8800
    """
    spec = declared(name)
    run_until_done(_serve(spec, PlainHarness(system=on, base_url=on, secret=_secret(spec)), port, settings()))


async def _serve(spec: ConnectorSpec, system: PlainHarness, port: int | None, chosen: Settings) -> None:
    async with open_laboratory(spec, system, equipment(chosen)) as laboratory:
        alone = Alone(laboratory)
        if port is None:
            await alone.over_stdio()
            return
        config = uvicorn.Config(
            alone.over_http(), host="127.0.0.1", port=port, log_config=None, access_log=False, server_header=False
        )
        err.print(f"{spec.name} is at http://127.0.0.1:{port}/mcp", highlight=False)
        await uvicorn.Server(config).serve()


def _secret(spec: ConnectorSpec) -> dict[str, str]:
    """Return the credential from the environment: standard input belongs to the protocol."""
    names = {field: f"TOOLHUB_SECRET_{field.upper()}" for field in spec.auth.secret_fields}
    if missing := [name for name in names.values() if name not in os.environ]:
        fail(f"Set {' and '.join(missing)}: {spec.name} signs in with it.")
    return {field: os.environ[name] for field, name in names.items()}
