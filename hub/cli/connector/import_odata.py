"""`toolhub connector import odata`: the `$metadata` of an OData service becomes a connector, with a report."""

import json
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import httpx2
import typer

from connectors.odata import BadWord, Importing, OwnersWords, Unreadable, compile_metadata, owners_words, read_metadata
from connectors.odata.markup import LARGEST_DOCUMENT
from connectors.openapi import read_document
from connectors.openapi.loading import Unreadable as UnreadableWords
from connectors.openapi.report import report_of
from connectors.sdk.auth import AuthSpec
from hub.cli.connector.importing import name_of, show_import
from hub.cli.connector.naming import checked_name
from hub.cli.connector.publish import Also, publish_spec, show_difference
from hub.cli.connector.secret import ask_fields
from hub.cli.console import fail, run, settings

Json = Any
"""Any JSON value."""

_METADATA: Final = "$metadata"
_SECONDS: Final = 60.0


def odata(  # noqa: PLR0913  # one for each option of the command
    source: Annotated[str, typer.Argument(help="A file with $metadata in XML or JSON, or the service's own address.")],
    *,
    owner: Annotated[Path | None, typer.Option(help="What the owner says of its tools, in YAML.", exists=True)] = None,
    name: Annotated[str, typer.Option(help="What to call the connector; else it is named after its source.")] = "",
    report: Annotated[Path | None, typer.Option(help="Write the whole report to this file, as JSON.")] = None,
    register: Annotated[bool, typer.Option("--register", help="Publish what the owner exposes.")] = False,
    also: Also = None,
) -> None:
    """Import an OData V4 service: entity sets, actions and functions become tools, or are listed with the reason.

    Nothing is published unless the owner's file exposes it (tools: {find_orders: {expose: true}}) and --register is
    given. Effects and tiers are inferred; the report says why, for the owner to confirm. If that file says how to sign
    in (sign_in: basic, or bearer), the fields are asked for or taken from TOOLHUB_SECRET_<FIELD>, and not kept.

    Examples:
      toolhub connector import odata orders.xml --report orders.json

      toolhub connector import odata https://erp.example.com/orders --owner orders.yaml --register
    """
    is_address = source.startswith(("http://", "https://"))
    base_url = source.partition("?")[0].removesuffix(_METADATA).rstrip("/") if is_address else ""
    chosen = name_of(urlsplit(base_url).path.rpartition("/")[2] or "odata" if is_address else Path(source).name)
    importing = Importing(name=checked_name(name or chosen[:32].rstrip("_")), base_url=base_url)
    try:
        words = OwnersWords() if owner is None else owners_words(read_document(owner.read_bytes()))
        content = _fetched(base_url, words.auth) if is_address else _file(source)
        compilation = compile_metadata(read_metadata(content), importing, words)
    except (Unreadable, UnreadableWords, BadWord) as error:
        fail(str(error))
    came = report_of(compilation)
    show_import(compilation, came)
    if report is not None:
        report.write_text(json.dumps(came, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if not register:
        return
    if not compilation.spec.operations:
        fail("No tool is exposed, so nothing was published. Expose some in the owner's file: {expose: true}.")
    found, versions = run(publish_spec(settings(), compilation.spec, only_show=False, also=also or ()))
    show_difference(compilation.spec, found, versions)


def _file(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        fail(f"{name} cannot be read: {error.strerror}.")


def _fetched(base_url: str, auth: AuthSpec) -> bytes:
    """Return the service's `$metadata`, as far as it is not too large; no redirect is followed."""
    secret = ask_fields(auth.secret_fields)
    headers = {"accept": "application/xml", "odata-maxversion": "4.01"}
    if "token" in secret:
        headers["authorization"] = f"Bearer {secret['token']}"
    login = (secret["username"], secret["password"]) if "username" in secret else None
    try:
        with (
            httpx2.Client(timeout=_SECONDS, auth=login, trust_env=False) as client,
            client.stream("GET", f"{base_url}/{_METADATA}", headers=headers) as response,
        ):
            if not response.is_success:
                fail(f"{base_url}/{_METADATA} answered {response.status_code}; check the address and the credential.")
            return _bounded(response)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        fail(f"{base_url} cannot be reached: {error or type(error).__name__}.")


def _bounded(response: httpx2.Response) -> bytes:
    content = bytearray()
    for part in response.iter_bytes():
        content += part
        if len(content) > LARGEST_DOCUMENT:
            fail(f"The document is larger than {LARGEST_DOCUMENT} bytes.")
    return bytes(content)
