"""The zygote: a process that has everything imported and nothing to hide, and forks a confined one per order.

Started as `python -I -m sandbox.zygote` with its control socket as standard input and an empty environment, before any
secret could have come near it. Orders come in as JSON with one end of a socket pair attached; the answer is the pid.
"""

import array
import json
import os
import select
import signal
import socket
from typing import Any, Final

from sandbox import child

Json = Any
"""Any JSON value."""

_MESSAGE: Final = 64 * 1024


def main() -> None:
    """Serve orders until the control socket closes; the confined processes end with it."""
    control = socket.socket(fileno=0)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, _woken)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's ^C is for the hub, which then closes the socket
    children: set[int] = set()
    while True:
        readable, _, _ = select.select([control.fileno(), wake_read], [], [])
        if wake_read in readable:
            os.read(wake_read, 4096)
        _reap(children)
        if control.fileno() in readable and not _serve(control, children):
            break
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _woken(_number: int, _frame: object) -> None:
    """Do nothing: that a child has ended is told by the wake-up descriptor."""


def _serve(control: socket.socket, children: set[int]) -> bool:
    message, descriptors = _receive(control)
    if not message:
        return False
    order: dict[str, Json] = json.loads(message)
    if "kill" in order:
        # only what has not been reaped is killed, so the number cannot belong to somebody else by now
        if order["kill"] in children:
            os.kill(order["kill"], signal.SIGKILL)
        return True
    pid = os.fork()
    if pid == 0:
        control.close()
        _become_child(socket.socket(fileno=descriptors[0]), order)
    os.close(descriptors[0])
    children.add(pid)
    control.sendall(json.dumps({"pid": pid}).encode() + b"\n")
    return True


def _become_child(channel: socket.socket, order: dict[str, Json]) -> None:
    signal.set_wakeup_fd(-1)
    try:
        child.run(channel, order)
    except BaseException:  # noqa: BLE001  # nothing of a confined process may unwind into the zygote's code
        os._exit(1)
    os._exit(0)


def _reap(children: set[int]) -> None:
    for pid in list(children):
        ended, _ = os.waitpid(pid, os.WNOHANG)
        if ended:
            children.discard(pid)


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    descriptors = array.array("i")
    message, ancillary, _, _ = control.recvmsg(_MESSAGE, socket.CMSG_LEN(4 * descriptors.itemsize))
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return message, list(descriptors)


if __name__ == "__main__":
    main()
