"""`toolhub connector import sql`: makes a connector of what an owner declares of a database."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from connectors.sdk.auth import Basic
from connectors.sdk.errors import ConnectorError
from connectors.sdk.spec import ConnectorSpec
from connectors.sql.compile import compiled, needed_tables
from connectors.sql.manifest import BadManifest, read_manifest
from hub.cli.connector.publish import Also, publish_spec, show_difference
from hub.cli.connector.secret import ask_fields
from hub.cli.console import fail, run, settings
from hub.invocations.runtime import describe
from hub.settings import Settings
from hub.wiring import reach_of


def import_sql(
    manifest: Annotated[Path, typer.Argument(help="The manifest, in YAML.", exists=True, dir_okay=False)],
    base_url: Annotated[str, typer.Option(help="A database with the tables that the manifest speaks of.")],
    *,
    only_show: Annotated[bool, typer.Option("--only-show", help="Show the difference and change nothing.")] = False,
    also: Also = None,
) -> None:
    """Publish the tools that a manifest declares of a database, whose tables are read for their columns and keys.

    Nothing but the catalog is read. The user and password are asked for, or taken from TOOLHUB_SECRET_USERNAME and
    TOOLHUB_SECRET_PASSWORD; they are not kept. Connect an account afterwards with `toolhub connector connect`.

    Example:  toolhub connector import sql shop.yaml --base-url postgresql://127.0.0.1:5432/shop
    """
    chosen = settings()
    spec = run(_compiled(chosen, _text(manifest), base_url))
    found, new = run(publish_spec(chosen, spec, only_show=only_show, also=also or ()))
    show_difference(spec, found, None if only_show else new)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}.")
    except UnicodeDecodeError:
        fail(f"{file} is no text in UTF-8.")


async def _compiled(chosen: Settings, text: str, base_url: str) -> ConnectorSpec:
    try:
        manifest = read_manifest(text)
        secret = {} if manifest.engine == "sqlite" else ask_fields(Basic().secret_fields)
        far = reach_of(chosen)

        async def secrets() -> Mapping[str, str]:
            return secret

        return compiled(manifest, await describe(base_url, secrets, far, (manifest.db_schema, needed_tables(manifest))))
    except (BadManifest, ConnectorError, ValueError) as error:
        fail(str(error))
