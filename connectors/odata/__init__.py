"""OData V4 services, imported without code from their `$metadata`; an owner says what is published."""

from connectors.odata.compiling import Importing, compile_metadata
from connectors.odata.loading import read_metadata
from connectors.odata.markup import Unreadable
from connectors.odata.owners import BadWord, OwnersWords, owners_words
from connectors.odata.run import carry_out

__all__ = [
    "BadWord",
    "Importing",
    "OwnersWords",
    "Unreadable",
    "carry_out",
    "compile_metadata",
    "owners_words",
    "read_metadata",
]
