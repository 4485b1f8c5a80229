"""Reading an event stream while it arrives: what stands in its events, and no more bytes of it than are allowed."""

import re
from collections.abc import Iterator
from typing import Final

from sandbox.line import TooLarge

_END_OF_LINE: Final = re.compile(rb"\r\n|\n|\r")
_DATA: Final = b"data:"


class Events:
    """The events of one stream. Source: WHATWG HTML, section 9.2.6."""

    def __init__(self, largest: int) -> None:
        self._left = largest
        self._largest = largest
        self._line = bytearray()
        self._data: list[bytes] = []

    def renew(self) -> None:
        """Let as many bytes come again as at first, of a stream of which each event alone is bounded."""
        self._left = self._largest

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Yield the data of each event that `chunk` completes.

        Raises:
            TooLarge: the stream is longer than it may be.
        """
        self._left -= len(chunk)
        if self._left < 0:
            raise TooLarge(f"The answer is larger than {self._largest} bytes.")
        self._line += chunk
        if b"\n" not in chunk and b"\r" not in chunk:
            return
        # a CR at the end may be the first half of CR LF: it waits for the next chunk
        whole = bytes(self._line)
        waiting = 1 if whole.endswith(b"\r") else 0
        *lines, rest = _END_OF_LINE.split(whole[: len(whole) - waiting])
        self._line = bytearray(rest + whole[len(whole) - waiting :])
        for line in lines:
            if line.startswith(_DATA):
                self._data.append(line[len(_DATA) :].removeprefix(b" "))
            elif not line and self._data:
                data, self._data = b"\n".join(self._data), []
                yield data.decode("utf-8", errors="replace")
