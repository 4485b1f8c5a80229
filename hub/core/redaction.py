"""Redaction: the values that a JSON Schema marks as secret (`x-secret: true`) never reach a log, a digest or a page."""

from typing import Any, Final

from hub.core.applying import Applying, applying_to, is_list, is_object

REDACTED: Final = "[redacted]"
"""What stands in the place of a secret."""


def redact(value: Any, schema: Any) -> Any:  # noqa: ANN401  # any JSON value under any JSON Schema
    """Return `value` with every part that `schema` marks as secret replaced by `REDACTED`.

    A part is secret if any schema that may apply to it says so. What is nested too deeply to follow, or under a
    reference that leads nowhere, is taken for secret.
    """
    if not is_object(schema):
        return value  # `true` and `false` are schemas too
    return _redact(value, applying_to(schema))


def _redact(value: Any, applying: Applying | None) -> Any:  # noqa: ANN401  # any JSON
    if applying is None or any(schema.get("x-secret") is True for schema in applying.schemas):
        return REDACTED
    if is_object(value):
        return {key: _redact(part, applying.to_member(key)) for key, part in value.items()}
    if is_list(value):
        return [_redact(part, applying.to_item(at)) for at, part in enumerate(value)]
    return value
