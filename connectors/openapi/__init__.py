"""APIs described by OpenAPI 3.1, 3.0 or Swagger 2.0, imported without code; an overlay says what is published."""

from connectors.openapi.compiling import Compilation, Importing, Refusal, compile_document
from connectors.openapi.document import UnknownKind
from connectors.openapi.finishing import ImportedTool
from connectors.openapi.loading import Unreadable, read_document
from connectors.openapi.overlay import BadOverlay
from connectors.openapi.run import carry_out

__all__ = [
    "BadOverlay",
    "Compilation",
    "ImportedTool",
    "Importing",
    "Refusal",
    "UnknownKind",
    "Unreadable",
    "carry_out",
    "compile_document",
    "read_document",
]
