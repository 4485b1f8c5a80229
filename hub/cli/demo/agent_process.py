"""The demo's agent as a child process: orders go in, what it called and was told comes out."""

import json
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from hub.cli.demo.telling import Unexpected

Json = Any
"""Any JSON value."""

SCRIPT: Final = Path(__file__).with_name("langgraph_agent.py")
_SECONDS_FOR_A_TASK: Final = 300
_SECONDS_TO_STOP: Final = 10
_CHARACTERS_OF_LOG_SHOWN: Final = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """One tool call of the agent, and what it was told."""

    tool: str
    arguments: Mapping[str, Json]
    is_error: bool
    texts: tuple[str, ...]
    structured: Mapping[str, Json]

    @property
    def text(self) -> str:
        """Return what it was told in words, without the JSON beside them."""
        return " ".join(text for text in self.texts if not text.startswith(("{", "[")))

    @property
    def status(self) -> str | None:
        """Return what the hub says of a call that has no result yet, or will have none."""
        return self.structured.get("status")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the agent did with one task."""

    calls: tuple[Called, ...]
    answer: str

    @property
    def last(self) -> Called:
        """Return its last call."""
        return self.calls[-1]


class AgentProcess:
    """The LangGraph agent in its own environment. Use it as a context manager."""

    def __init__(self, python: Path, log_file: Path, hub_url: str) -> None:
        self._command = [str(python), str(SCRIPT)]
        self._log_file = log_file
        self._hub = {"url": f"{hub_url}/mcp", "run": "demo"}
        self._process: subprocess.Popen[str] | None = None
        self.tools: tuple[str, ...] = ()

    def do(self, task: str, thread: str, token: str, *, on_call: Callable[[Called], None]) -> Turn:
        """Return what came of a task; `on_call` hears of each call as it is answered.

        Raises:
            Unexpected: the agent broke down; the message holds the end of its log.
        """
        self._send({"task": task, "thread": thread, "token": token})
        calls: list[Called] = []
        arguments: Mapping[str, Json] = {}
        while True:
            event = self._next()
            match event["event"]:
                case "tools":
                    self.tools = tuple(event["names"])
                case "call":
                    arguments = event["arguments"]
                case "result":
                    calls.append(_called(event, arguments))
                    on_call(calls[-1])
                case _:
                    return Turn(calls=tuple(calls), answer=event["text"])

    def __enter__(self) -> Self:
        """Start the agent; it connects with its first task."""
        with self._log_file.open("a") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own program, in its own environment
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self._send(self._hub)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the agent."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return
        try:
            process.stdin.close()  # it ends by itself when there are no more orders
            process.wait(timeout=_SECONDS_TO_STOP)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        process.stdout.close()

    def _send(self, order: Mapping[str, str]) -> None:
        if self._process is None or self._process.stdin is None:
            raise Unexpected("The agent has not been started.")
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise Unexpected(self._breakdown()) from error

    def _next(self) -> dict[str, Json]:
        process = self._process
        if process is None or process.stdout is None:
            raise Unexpected("The agent has not been started.")
        # A client that hangs is ended, so that the demo cannot hang with it.
        watch = threading.Timer(_SECONDS_FOR_A_TASK, process.kill)
        watch.start()
        line = process.stdout.readline()
        watch.cancel()
        if not line:
            raise Unexpected(self._breakdown())
        event: dict[str, Json] = json.loads(line)
        return event

    def _breakdown(self) -> str:
        log_end = self._log_file.read_text(errors="replace")[-_CHARACTERS_OF_LOG_SHOWN:]
        return f"The LangGraph agent broke down. Its log ends with:\n{log_end}"


def _called(event: Mapping[str, Json], arguments: Mapping[str, Json]) -> Called:
    return Called(
        tool=event["tool"],
        arguments=arguments,
        is_error=event["is_error"],
        texts=tuple(event["text"]),
        structured=event["structured"] or {},
    )
