"""A credential for the command line: asked for or taken from the environment, never an argument."""

import os
from collections.abc import Sequence

import typer

from connectors.sdk.spec import ConnectorSpec


def ask_secret(spec: ConnectorSpec) -> dict[str, str]:
    """Return the fields that `spec` signs in with, from TOOLHUB_SECRET_<FIELD> or typed in without being shown."""
    return ask_fields(spec.auth.secret_fields)


def ask_fields(fields: Sequence[str]) -> dict[str, str]:
    """Return a value for each of `fields`, in the same way."""
    return {field: _value(field) for field in fields}


def _value(field: str) -> str:
    given = os.environ.get(f"TOOLHUB_SECRET_{field.upper()}")
    return given if given is not None else str(typer.prompt(field, hide_input=True))
