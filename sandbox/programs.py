"""Programs that the hub's operator allows to be started as MCP servers, by the names that base URLs call them by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

NOBODY: Final = "nobody"
"""Whose rights a program gets where the hub runs as root, unless the operator names somebody."""
STDIO: Final = "stdio:"
"""How the base URL begins that leads to a program: `stdio:NAME`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program.

    `environment` is all that it finds set, beside a plain `PATH` and its `HOME`; `secrets` are names of further
    variables with the field of the connection's credential that each of them gets. `hidden` is what it may not touch.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    folder: str = "/"
    user: str = ""
    """Whose rights it gets where the hub runs as root; nobody's if this is empty."""
    hidden: tuple[Path, ...] = ()
    environments: frozenset[str] = frozenset({"dev", "staging"})
    """Of whose connections: what runs unconfined is off in prod unless somebody says otherwise."""
