"""A small CRM kept in Directus, imported without code: an overlay over the document that Directus itself serves."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from connectors.openapi import Compilation, Importing, compile_document, read_document
from connectors.sdk.spec import ConnectorSpec

Json = Any
"""Any JSON value."""


def _read(name: str) -> dict[str, Json]:
    return read_document(files(__name__).joinpath(name).read_bytes())


def compiled(document: Mapping[str, Json] | None = None) -> Compilation:
    """Return what comes of `document`, as a Directus serves it at `/server/specs/oas`, under the overlay.

    Without one it is that of the part that is kept here, which names all that the tools need.
    """
    importing = Importing(name="directus", version="1.0.0", title="CRM in Directus")
    overlays = [_read("crm.overlay.yaml")]
    return compile_document(_read("crm.openapi.yaml") if document is None else document, importing, overlays=overlays)


def directus() -> ConnectorSpec:
    """Return the connector."""
    return compiled().spec
