"""The key that a token is bound to, by its thumbprint (RFC 7638): the claim `cnf` (RFC 7800, RFC 9449 section 6.1)."""

import re
from collections.abc import Mapping
from typing import Any, Final

from hub.identity.assertions import json_object

_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def is_thumbprint(text: object) -> bool:
    """Return whether `text` can be the SHA-256 thumbprint of a key: 32 bytes in base64url."""
    return isinstance(text, str) and _THUMBPRINT.fullmatch(text) is not None


def thumbprint_in(claims: Mapping[str, Any]) -> str | None:
    """Return the thumbprint of the key that a token with these claims is bound to, or None: it is to none.

    Raises:
        ValueError: it is bound in a way that the hub cannot check, so that it must not count as bound to nothing.
    """
    if "cnf" not in claims:
        return None
    bound = json_object(claims["cnf"]) or {}
    if bound.keys() != {"jkt"} or not is_thumbprint(bound["jkt"]):
        raise ValueError("cnf")
    return str(bound["jkt"])
