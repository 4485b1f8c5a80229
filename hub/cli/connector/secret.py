"""A credential for the command line: asked for or taken from the environment, never an argument."""

from collections.abc import Sequence

from connectors.sdk.spec import ConnectorSpec
from hub.cli.console import ask_hidden


def ask_secret(spec: ConnectorSpec) -> dict[str, str]:
    """Return the fields that `spec` signs in with, from TOOLHUB_SECRET_<FIELD> or typed in without being shown."""
    return ask_fields(spec.auth.secret_fields)


def ask_fields(fields: Sequence[str]) -> dict[str, str]:
    """Return a value for each of `fields`, in the same way."""
    return {field: ask_hidden(field, variable=f"TOOLHUB_SECRET_{field.upper()}") for field in fields}
