"""Reading an event stream while it arrives: what stands in its events, and no more bytes of it than are allowed."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from sandbox.line import Dropped, TooLarge

MEDIA_TYPE: Final = "text/event-stream"
_END_OF_LINE: Final = re.compile(rb"\r\n|\n|\r")
_MOST_DIGITS: Final = 15


class Events:
    """The events of one stream, whichever connections they come over. Source: WHATWG HTML, section 9.2.6."""

    def __init__(self, largest: int) -> None:
        self.last_id = b""
        """The id that the last whole event left; none if it is empty."""
        self.retry_seconds: float | None = None
        """How long the server wants to be left alone when the connection ends."""
        self._left = largest
        self._largest = largest
        self._line = bytearray()
        self._data: list[bytes] = []
        self._id = b""

    def renew(self) -> None:
        """Let as many bytes come again as at first, of a stream of which each event alone is bounded."""
        self._left = self._largest

    def go_on(self) -> None:
        """Begin with another connection: of an event that broke off with the last one nothing counts."""
        self._line.clear()
        self._data = []
        self._id = self.last_id

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
            if line:
                self._take(line)
                continue
            self.last_id = self._id
            if self._data:
                data, self._data = b"\n".join(self._data), []
                yield data.decode("utf-8", errors="replace")

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"id" and b"\0" not in value:
            self._id = value
        elif name == b"retry" and value.isdigit():  # of bytes these are the ASCII digits alone
            self.retry_seconds = int(value[:_MOST_DIGITS]) / 1000


def is_stream(headers: Mapping[str, str]) -> bool:
    """Return whether the answer with these headers is an event stream.

    Raises:
        Dropped: it is a packed one, whose events would arrive in pieces that nobody can read one by one.
    """
    if headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        return False
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Dropped("The answer is packed, which was not asked for.")
    return True
