"""Where records, sets and operations are: paths and queries, each value quoted and encoded so that it stays a value.

Source: OData URL Conventions 4.01, sections 2 (encoding), 4.3 (keys), 4.5 (operations) and 5.1 (system query options).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from connectors.odata.edm import literal
from connectors.sdk.errors import Refused

Json = Any
"""Any JSON value."""

_IN_KEY: Final = "':"
_IN_QUERY: Final = "'():,/$@"
_HIDDEN: Final = re.compile(r"%(?:2F|5C|25[0-9A-F]{2}|[01][0-9A-F]|7F)", re.IGNORECASE)
"""What the broker lets into no path: a proxy may read another path in it."""


def record_path(target: Mapping[str, Json], arguments: Mapping[str, Json], *, is_draft: bool = False) -> str:
    """Return the path of the record of the set `target` that `arguments` name; `is_draft` means its draft.

    Raises:
        Refused: a key is not of its type, or holds what no path can carry.
    """
    parts = [(name, _key_text(key, name, arguments)) for name, key in target["key"].items()]
    return f"/{quote(target['set'])}({_joined(parts, target, is_draft=is_draft)})"


def record_template(target: Mapping[str, Json], *, is_draft: bool = False) -> str:
    """Return the template of the paths that `record_path` makes."""
    parts = [(name, f"{{{number}}}") for number, name in enumerate(target["key"])]
    return f"/{quote(target['set'])}({_joined(parts, target, is_draft=is_draft)})"


def _joined(parts: Sequence[tuple[str, str]], target: Mapping[str, Json], *, is_draft: bool) -> str:
    if target.get("draft"):
        parts = [*parts, ("IsActiveEntity", "false" if is_draft else "true")]
    if len(parts) == 1:
        return parts[0][1]
    return ",".join(f"{quote(name)}={text}" for name, text in parts)


def _key_text(key: Mapping[str, Json], name: str, arguments: Mapping[str, Json]) -> str:
    value = arguments.get(key["argument"])
    if value is None or value == "":
        raise Refused(f"{key['argument']} is needed: it is the key {name}. Nothing was sent.")
    text = quote(literal(key["edm"], key["enumeration"], value), safe=_IN_KEY)
    if _HIDDEN.search(text):
        raise Refused(
            f"{key['argument']} cannot hold a slash, a backslash, a control character or an escape: "
            "proxies would read another address in it. Nothing was sent."
        )
    return text


def set_path(target: Mapping[str, Json]) -> str:
    """Return the path of the set `target`."""
    return f"/{quote(target['set'])}"


def function_path(name: str, parameters: Sequence[str]) -> str:
    """Return the path of a function, whose parameters are aliases: their values stand in the query, where any fits."""
    return f"/{quote(name)}({','.join(f'{quote(one)}=@{quote(one)}' for one in parameters)})"


def aliased(parameters: Mapping[str, Mapping[str, Json]], arguments: Mapping[str, Json]) -> list[tuple[str, str]]:
    """Return the query that gives the aliases of `function_path` their values."""
    return [
        (f"@{name}", literal(one["edm"], one["enumeration"], arguments[one["argument"]]))
        for name, one in parameters.items()
        if one["argument"] in arguments
    ]


def encoded(query: Sequence[tuple[str, str]]) -> str:
    """Return `query` as it is sent. A `$` stays, which not every server knows in its escape."""
    return "&".join(f"{quote(name, safe='$@')}={quote(value, safe=_IN_QUERY)}" for name, value in query)
