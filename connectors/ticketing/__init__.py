"""An ITSM-style ticket API, imported without code: its document, and the overlay that says what is published."""

from importlib.resources import files

from connectors.openapi import Compilation, Importing, compile_document, read_document
from connectors.sdk.spec import ConnectorSpec


def compiled() -> Compilation:
    """Return what comes of the document under the overlay."""
    folder = files(__name__)
    document, overlay = (
        read_document(folder.joinpath(name).read_bytes()) for name in ("tickets.openapi.yaml", "tickets.overlay.yaml")
    )
    return compile_document(document, Importing(name="ticketing"), overlays=[overlay])


def ticketing() -> ConnectorSpec:
    """Return the connector."""
    return compiled().spec
