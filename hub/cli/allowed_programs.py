"""Whether the programs that the settings allow as MCP servers could be started, looked at as their user."""

import os
import pwd
import subprocess
from typing import Final

from hub.settings import StdioServerSettings

_NOBODY: Final = "nobody"
_LOOK: Final = """
cd "$2" || exit 3
[ -L "$1" ] && [ ! -e "$1" ] && exit 6
[ -e "$1" ] || exit 4
[ -f "$1" ] && [ -x "$1" ] || exit 5
"""


def program_user(program: StdioServerSettings) -> str:
    """Return as whom a program runs: where the hub is root, as the one it names, or nobody; else as the hub."""
    return program.user or _NOBODY if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def problem_with_program(program: StdioServerSettings) -> str:
    """Return what keeps a program from being started, or nothing."""
    user = program_user(program)
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        return f"there is no user {user}"
    command, folder = program.command[0], str(program.folder)
    is_root = os.geteuid() == 0
    looked = subprocess.run(  # noqa: S603  # our own words; what the settings say are arguments of them
        ["/bin/sh", "-c", _LOOK, "sh", command, folder],
        check=False,
        cwd="/",
        env={},
        stderr=subprocess.DEVNULL,
        user=account.pw_uid if is_root else None,
        group=account.pw_gid if is_root else None,
        extra_groups=[] if is_root else None,
    )
    said = {
        0: "",
        3: f"its folder {folder} cannot be entered",
        4: f"there is no {command} that this user can see",
        5: f"{command} is nothing that this user may run",
        6: f"{command} leads to where this user sees nothing",
    }
    return said.get(looked.returncode, f"{command} cannot be looked at")
