"""What an agent says about itself in `_meta`: read as claims, bounded, believed by nobody."""

from collections.abc import Mapping
from typing import Any, Final

from hub.core.errors import InputError
from hub.invocations.values import Claims

Json = Any
"""Any JSON value."""

PREFIX: Final = "dev.toolhub/"
LONGEST_NAME: Final = 200
"""Names must arrive whole: two runs whose names were cut would be taken for one."""
LONGEST_TEXT: Final = 4000


def claims_in(meta: Mapping[str, Json]) -> Claims:
    """Return the claims in a message's `_meta`.

    Raises:
        InputError: one of them is not a text, or a name is too long.
    """
    return Claims(
        run=_name(meta, "run"),
        case=_name(meta, "case"),
        purpose=_text(meta, "purpose"),
        rationale=_text(meta, "rationale"),
        confidence=_name(meta, "confidence"),
        agent_version=_name(meta, "agent-version"),
    )


def idempotency_key_in(meta: Mapping[str, Json], header: str | None) -> str | None:
    """Return the key under which a repeat of the call is to be recognised, if the client gave one.

    Raises:
        InputError: it is too long, or header and message name different keys.
    """
    key = _name(meta, "idempotency-key")
    if header is not None and len(header) > LONGEST_NAME:
        raise InputError(f"The Idempotency-Key is longer than {LONGEST_NAME} characters; shorten it.")
    if key and header and key != header:
        raise InputError(f"The Idempotency-Key header and _meta {PREFIX}idempotency-key differ; send one of them.")
    return key or header or None


def _name(meta: Mapping[str, Json], key: str) -> str | None:
    said = _said(meta, key)
    if said is not None and len(said) > LONGEST_NAME:
        raise InputError(f"_meta {PREFIX}{key} is longer than {LONGEST_NAME} characters; shorten it.")
    return said


def _text(meta: Mapping[str, Json], key: str) -> str | None:
    said = _said(meta, key)
    return said if said is None or len(said) <= LONGEST_TEXT else f"{said[: LONGEST_TEXT - 1]}…"


def _said(meta: Mapping[str, Json], key: str) -> str | None:
    value = meta.get(f"{PREFIX}{key}")
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"_meta {PREFIX}{key} has to be a text.")
    return str(value)
