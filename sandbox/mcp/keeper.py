"""The keeper of one foreign program: starts it, bounded and without the hub's secrets, and ends all of it with the hub.

Started as `python -I -m sandbox.mcp.keeper IN OUT ERR` with its control socket as standard input; the numbers are the
descriptors that become the program's standard ones. One line of JSON says what to start, and one sentence comes back:
why it could not be started, or how it ended by itself. When the hub closes the socket, by intention or because it was
killed, every process that came of the program is killed, wherever it has hidden.

Where the machine permits, the program gets a namespace of processes of its own: it cannot name its keeper or the hub,
so it cannot kill either first, even with the same user's rights, and the kernel ends what is in it with its first
process. Elsewhere a program under the hub's own user is held by Landlock's scopes (ABI 6), and before those by nothing:
there it has to be given a user of its own.
"""

import contextlib
import ctypes
import json
import os
import pwd
import resource
import select
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sandbox import isolation, landlock
from sandbox.programs import NOBODY

Json = Any
"""Any JSON value."""

_SET_NO_NEW_PRIVS, _DIE_WITH_PARENT, _ADOPT_ORPHANS, _SET_DUMPABLE = 38, 1, 36, 4
_CHUNK: Final = 64 * 1024
_NOT_STARTED: Final = 127
_BY_SIGNAL: Final = 128
"""Added to a signal's number, it is the code of who was ended by it, as shells have it."""
_LIMITS: Final = ((resource.RLIMIT_NOFILE, 1024), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 1 << 30))
_MEMORY: Final = 2 << 30
"""Bytes of data. The address space is not limited: some runtimes reserve more of it than they ever use."""
_PROCESSES: Final = 256

_libc = ctypes.CDLL(None, use_errno=True)
_is_linux: Final = sys.platform == "linux"


def main() -> None:
    """Keep the program until it ends or the hub is gone."""
    control = socket.socket(fileno=os.dup(0))
    standard = [int(number) for number in sys.argv[1:4]]
    line = control.makefile("rb").readline()
    if not line:
        return
    if _is_linux:
        _libc.prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)
    woken = _wake_on_child()
    kept, keeping = os.pipe()
    is_apart = isolation.own_processes()
    keeper = os.getpid()
    program = os.fork()
    if program == 0:
        with contextlib.suppress(BaseException):  # whatever it is, it must not unwind into the keeper's own code
            os.close(keeping)
            if is_apart:
                keeper = _stay_first(kept, keeper=os.getpid())
            _begin(json.loads(line), standard, keeper, control)
        os._exit(_NOT_STARTED)
    for number in (*standard, kept):
        os.close(number)
    if (status := _wait_for_end(control, woken, program)) is not None:
        _say(control, _ended(status))  # after what it said of itself, if it could not be started
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program, signal.SIGKILL)
    _end_all()


def _stay_first(kept: int, *, keeper: int) -> int:
    """Stay behind as the first process of a namespace, which ends with its keeper; return, in another, its number.

    That the keeper has gone already shows in `kept`, a pipe that it held open: its own number is not known in here.
    """
    _libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    _libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)  # or the program could make it do what it likes
    if select.select([kept], [], [], 0)[0]:
        os._exit(_NOT_STARTED)
    program = os.fork()
    if program == 0:
        return keeper
    signal.set_wakeup_fd(-1)
    os.closerange(0, 65536)  # the hub is to see when the program says nothing more
    while (ended := os.waitpid(-1, 0))[0] != program:
        pass
    code = os.waitstatus_to_exitcode(ended[1])
    os._exit(code if code >= 0 else _BY_SIGNAL - code)


def _wake_on_child() -> int:
    """Return a descriptor that becomes readable when a child has ended."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return readable


def _wait_for_end(control: socket.socket, woken: int, program: int) -> int | None:
    """Return how the program ended, as the kernel tells it, or None if the hub was quicker."""
    while True:
        readable, _, _ = select.select([control.fileno(), woken], [], [])
        if control.fileno() in readable:
            return None  # nothing is ever said here but that it is over
        os.read(woken, _CHUNK)
        while True:
            try:
                ended, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return None
            if ended == program:
                return status
            if ended == 0:
                break


def _end_all() -> None:
    """Kill every process that is left; those whose parents have ended are ours by now."""
    while True:
        for pid in _children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    try:
        found = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(pid) for pid in found.split()]


def _begin(order: Mapping[str, Json], standard: Sequence[int], keeper: int, control: socket.socket) -> None:
    """Turn this process, just forked, into the program, or say why that cannot be."""
    try:
        _become(order, standard, keeper, control)
    except KeyError:
        _say(control, "There is no such user.")
    except OSError as error:
        what = "folder" if error.filename == order["folder"] else "command"
        _say(control, f"Its {what} cannot be used: {error.strerror} ({error.filename or what}).")


def _say(control: socket.socket, sentence: str) -> None:
    with contextlib.suppress(OSError):  # the hub need not be there to hear it
        control.send(sentence.encode() + b"\n", socket.MSG_DONTWAIT)


def _ended(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    by_signal = -code if code < 0 else code - _BY_SIGNAL
    if not 0 < by_signal < signal.NSIG:
        return f"It ended with code {code}."
    return f"It was ended by signal {by_signal}."


def _become(order: Mapping[str, Json], standard: Sequence[int], keeper: int, control: socket.socket) -> None:
    """Turn this process, just forked, into the program."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
    os.closerange(3, control.fileno())
    os.closerange(control.fileno() + 1, 65536)  # that one is closed when the program takes over
    _limit(is_alone=os.geteuid() == 0)
    _become_user(str(order["user"]))
    if _is_linux:
        _libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != keeper:
        return
    landlock.hide(Path(path) for path in order["hidden"])
    os.chdir(str(order["folder"]))
    command = [str(word) for word in order["command"]]
    os.execve(command[0], command, {str(name): str(value) for name, value in order["environment"].items()})  # noqa: S606  # a command that the operator has allowed


def _limit(*, is_alone: bool) -> None:
    limits = [*_LIMITS, (resource.RLIMIT_DATA, _MEMORY)]
    if is_alone:  # processes are counted by user, and the hub's own must not count against it
        limits.append((resource.RLIMIT_NPROC, _PROCESSES))
    for kind, value in limits:
        with contextlib.suppress(ValueError, OSError):  # a lower hard limit is there already
            resource.setrlimit(kind, (value, value))


def _become_user(user: str) -> None:
    """Become `user`; of root nothing is left unless root was asked for."""
    if os.geteuid() != 0:
        return
    account = pwd.getpwnam(user or NOBODY)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


if __name__ == "__main__":
    main()
