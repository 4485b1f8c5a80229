"""The zygote: a process that has everything imported and nothing to hide, and forks a confined one per order.

Started as `python -I -m sandbox.zygote` with its control socket as standard input and an empty environment, so that no
secret of the hub was ever in its memory. Orders are lines of JSON; one to fork comes with an end of a socket pair.
"""

import array
import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sandbox import child
from sandbox.isolation import Space, isolate

Json = Any
"""Any JSON value."""

_CHUNK: Final = 64 * 1024
_MOST_AT_ONCE: Final = 16


class Zygote:
    """The forked processes by ticket, and the conversation with the hub."""

    def __init__(self, control: socket.socket, spaces: Sequence[Space]) -> None:
        self._control = control
        self._spaces = spaces
        self._received = b""
        self._channels: list[int] = []
        self._children: dict[int, int] = {}

    def serve(self) -> None:
        """Carry out orders until the hub closes the control socket; the confined processes end with it."""
        woken = _wake_on_child()
        while True:
            readable, _, _ = select.select([self._control.fileno(), woken], [], [])
            if woken in readable:
                os.read(woken, _CHUNK)
            self._report_ended()
            if self._control.fileno() in readable and not self._obey():
                break
        for pid in self._children.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _obey(self) -> bool:
        try:
            data, ancillary, _, _ = self._control.recvmsg(_CHUNK, socket.CMSG_SPACE(_MOST_AT_ONCE * 4))
        except ConnectionResetError:  # the hub was killed while something was on its way to it
            return False
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self._channels += array.array("i", content[: len(content) - len(content) % 4])
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            order: dict[str, Json] = json.loads(line)
            if "kill" in order:
                self._kill(order["kill"])
            else:
                self._fork(order)
        return bool(data)

    def _kill(self, ticket: int) -> None:
        # only what has not been reaped is here, so the number cannot belong to somebody else by now
        if ticket in self._children:
            os.kill(self._children[ticket], signal.SIGKILL)

    def _fork(self, order: dict[str, Json]) -> None:
        ticket, channel, zygote = int(order["fork"]), self._channels.pop(0), os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(channel)
            self._tell({"failed": ticket, "reason": os.strerror(error.errno or 0)})
            return
        if pid == 0:
            self._control.close()
            _become_child(socket.socket(fileno=channel), {**order, "spaces": self._spaces}, zygote)
        os.close(channel)
        self._children[ticket] = pid
        self._tell({"forked": ticket, "number": pid})

    def _report_ended(self) -> None:
        for ticket, pid in list(self._children.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._children[ticket]
                self._tell({"ended": ticket, "status": os.waitstatus_to_exitcode(status)})

    def _tell(self, message: dict[str, Json]) -> None:
        with contextlib.suppress(OSError):  # the hub is gone, which the next look at the socket tells
            self._control.sendall(json.dumps(message).encode("ascii") + b"\n")


def _wake_on_child() -> int:
    """Return a descriptor that becomes readable when a child has ended."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return readable


def _become_child(channel: socket.socket, order: dict[str, Json], zygote: int) -> None:
    signal.set_wakeup_fd(-1)
    try:
        child.run(channel, order, parent=zygote)
    except BaseException:  # noqa: BLE001  # nothing of a confined process may unwind into the zygote's code
        os._exit(1)
    os._exit(0)


def main() -> None:
    """Serve the control socket on standard input; the arguments are folders to import connectors from."""
    spaces = isolate({*child.interpreter(), *map(Path, [*sys.path, *sys.argv[1:]])})
    gc.freeze()  # what is here now is shared with every process to come, and stays shared
    Zygote(socket.socket(fileno=0), spaces).serve()


if __name__ == "__main__":
    main()
