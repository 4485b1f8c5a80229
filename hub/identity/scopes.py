"""Scopes: which ones a call needs, and whether those at hand cover it.

A scope is `{connector}:read`, `{connector}:write` or `tool:{name}`. The broader one implies the narrower one: a
connector's `read` covers each of its reading tools and `write` each of its writing tools. `write` does not imply
`read`: an agent that files expenses need not be able to read everybody's.
"""

import re
from collections.abc import Sequence
from typing import Final

from connectors.sdk.vocabulary import Effect
from hub.core.errors import ScopeMissing
from hub.identity.principals import Caller

SCOPE_PATTERN: Final = re.compile(r"tool:[a-z][a-z0-9_]{0,47}|[a-z][a-z0-9_-]{0,47}:(?:read|write)")
"""What a scope looks like. A connector cannot be named `tool`, so the two forms never meet."""


def sufficient_scopes(connector: str, tool: str, effect: Effect) -> tuple[str, str]:
    """Return the scopes of which any one is enough to call `tool` (its published name), the broader first."""
    access = "read" if effect is Effect.READ else "write"
    return f"{connector}:{access}", f"tool:{tool}"


def needed_scopes(
    connector: str, tool: str, effect: Effect, *, allowed: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Return every scope to ask for before calling `tool`.

    It is the connector's, unless the agent may only ever hold (`allowed`) the scope of this one tool.
    """
    broad, narrow = sufficient_scopes(connector, tool, effect)
    return (narrow,) if narrow in allowed and broad not in allowed else (broad,)


def covers(granted: frozenset[str], connector: str, tool: str, effect: Effect) -> bool:
    """Return whether `granted` is enough to call `tool`."""
    return not granted.isdisjoint(sufficient_scopes(connector, tool, effect))


def require(caller: Caller, connector: str, tool: str, effect: Effect) -> None:
    """Let the caller's token pass if it covers `tool`.

    Raises:
        ScopeMissing: it does not; the error names every scope to ask for.
    """
    if not covers(caller.scopes, connector, tool, effect):
        raise ScopeMissing(needed_scopes(connector, tool, effect, allowed=caller.actor.allowed_scopes))


def require_all(caller: Caller, tools: Sequence[tuple[str, str, Effect]]) -> None:
    """Let the caller's token pass if it covers every one of `tools`: connector, published name and effect of each.

    Raises:
        ScopeMissing: it does not; the error names every scope to ask for.
    """
    missing = [tool for tool in tools if not covers(caller.scopes, *tool)]
    if missing:
        allowed = caller.actor.allowed_scopes
        needed = [scope for one in missing for scope in needed_scopes(*one, allowed=allowed)]
        raise ScopeMissing(tuple(dict.fromkeys(needed)))


def parse_scopes(text: str) -> frozenset[str]:
    """Return the scopes in a space-separated list (RFC 6749 section 3.3); what is no scope of ours is left out."""
    return frozenset(word for word in text.split(" ") if SCOPE_PATTERN.fullmatch(word))


def are_scopes(words: frozenset[str]) -> bool:
    """Return whether every word has the form of a scope."""
    return all(SCOPE_PATTERN.fullmatch(word) for word in words)


def scope_text(scopes: frozenset[str]) -> str:
    """Return `scopes` as OAuth writes them: sorted, one space between."""
    return " ".join(sorted(scopes))
