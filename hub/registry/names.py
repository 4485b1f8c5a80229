"""The names under which things are published, and which of them are the hub's own."""

import re
from typing import Final

from connectors.sdk.spec import TOOL_NAME
from hub.core.errors import InputError
from hub.registry.values import EVERYTHING, Environment

HUB_PREFIX: Final = "hub_"
HUB_TOOLS: Final = frozenset(
    {"hub_invocation_get", "hub_invocation_cancel", "hub_invocations_mine", "hub_find_tools", "hub_call_tool"}
)
"""The hub's own tools, as agents call them."""
_TOOL: Final = re.compile(TOOL_NAME)
_PREFIX: Final = re.compile(r"(?:[a-z][a-z0-9_]{0,23})?")
_PLACE: Final = re.compile(r"[a-z][a-z0-9-]{0,47}")


def built_in(environment: Environment) -> str:
    """Return the name of the built-in server that offers everything in `environment`."""
    return f"{EVERYTHING}-{environment}"


def is_built_in(server: str) -> bool:
    """Return whether `server` is a built-in one."""
    return server in {built_in(environment) for environment in Environment}


def check_tool_name(name: str) -> None:
    """Let a name under which a tool may be published pass.

    Raises:
        InputError: it will not do; the message says what will.
    """
    if not _TOOL.fullmatch(name):
        raise InputError(f"{name!r} is no tool name: a to z, 0 to 9 and _, a letter first, at most 48 characters.")
    if name.startswith(HUB_PREFIX):
        raise InputError(f"{name!r} begins with {HUB_PREFIX!r}, which is kept for the hub's own tools; rename it.")


def check_prefix(prefix: str) -> None:
    """Let what may stand before the names of a connection's tools pass.

    Raises:
        InputError: it will not do.
    """
    if not _PREFIX.fullmatch(prefix) or prefix.startswith(HUB_PREFIX):
        raise InputError(f"{prefix!r} is no prefix: a to z, 0 to 9 and _, a letter first; such as 'erp2_'.")


def check_place(name: str, *, what: str) -> None:
    """Let the name of a server or a connection pass.

    Raises:
        InputError: it will not do.
    """
    if not _PLACE.fullmatch(name):
        raise InputError(f"{name!r} is no name for {what}: a to z, 0 to 9 and -, a letter first, at most 48.")
    if what == "a server" and (name == EVERYTHING or name.startswith(f"{EVERYTHING}-")):
        raise InputError(f"{name!r} is kept for the built-in servers; choose another name.")
