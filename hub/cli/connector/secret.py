"""A credential for the command line: asked for or taken from the environment, never an argument."""

import os

import typer

from connectors.sdk.spec import ConnectorSpec


def ask_secret(spec: ConnectorSpec) -> dict[str, str]:
    """Return the fields that `spec` signs in with, from TOOLHUB_SECRET_<FIELD> or typed in without being shown."""
    return {field: _value(field) for field in spec.auth.secret_fields}


def _value(field: str) -> str:
    given = os.environ.get(f"TOOLHUB_SECRET_{field.upper()}")
    return given if given is not None else str(typer.prompt(field, hide_input=True))
