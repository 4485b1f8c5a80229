"""A server that keeps the raw bytes of what it is sent, and imported tools that send to it over the real broker."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import yaml

from connectors.openapi import Compilation, Importing, carry_out, compile_document, read_document
from connectors.sdk.run import PhaseCall, PhaseResult
from connectors.sdk.spec import AuthSpec
from connectors.sdk.vocabulary import Effect, Phase
from sandbox.broker import Bounds, Channel, ChannelKind
from sandbox.upstream import Upstream

Json = Any

EXPOSED = {"x-hub": {"expose": True}}


@dataclass(slots=True)
class Recorder:
    """What came in, request by request, and what is answered next; without more it is `{}`."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def line(self) -> str:
        """The first line of the last request, without the version of HTTP."""
        return self.requests[-1].partition(b"\r\n")[0].decode().removesuffix(" HTTP/1.1")

    @property
    def body(self) -> bytes:
        """The body of the last request."""
        return self.requests[-1].partition(b"\r\n\r\n")[2]

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the last request."""
        lines = self.requests[-1].partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    def will_answer(self, body: Json, *, status: int = 200, **headers: str) -> None:
        """Answer the next request so; a header is written with underscores."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"content-type": "application/json", **{name.replace("_", "-"): one for name, one in headers.items()}}
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        self.answers.append(
            f"HTTP/1.1 {status} Said\r\n{head}content-length: {len(content)}\r\nconnection: close\r\n\r\n".encode()
            + content
        )

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request to its end and answer it."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((line[15:] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), b"0")
        self.requests.append(head + await reader.readexactly(int(length)))
        if not self.answers:
            self.will_answer({})
        writer.write(self.answers.pop(0))
        await writer.drain()
        writer.close()


@asynccontextmanager
async def recording() -> AsyncGenerator[Recorder]:
    """Yield a server that records."""
    recorder = Recorder()
    server = await asyncio.start_server(recorder.serve, "127.0.0.1", 0)
    recorder.port = server.sockets[0].getsockname()[1]
    async with server:
        yield recorder


def imported(text: str, *overlays: str, name: str = "api") -> Compilation:
    """Return what comes of a document in YAML."""
    read = [read_document(overlay.encode()) for overlay in overlays]
    return compile_document(read_document(text.encode()), Importing(name=name), overlays=read)


def all_exposed(document: Mapping[str, Json], name: str = "api") -> Compilation:
    """Return what comes of a document, all of it exposed."""
    overlay = {
        "overlay": "1.1.0",
        "info": {"title": "All", "version": "1"},
        "actions": [{"target": "$.paths.*[?@.responses]", "update": EXPOSED}],
    }
    return compile_document(
        read_document(yaml.safe_dump(dict(document), sort_keys=False).encode()),
        Importing(name=name),
        overlays=[overlay],
    )


async def run(
    compilation: Compilation,
    recorder: Recorder,
    phase: Phase,
    operation: str,
    arguments: Mapping[str, Json],
    **more: Json,
) -> PhaseResult:
    """Run one phase of a tool over the broker, whose fence is that of the phase."""
    kinds = {Phase.COMMIT: ChannelKind.WRITE, Phase.PREVIEW: ChannelKind.PREVIEW}
    kind = kinds.get(phase, ChannelKind.READ)
    way = Upstream(recorder.url, AuthSpec(), _no_secrets)
    try:
        bounds = Bounds(unsafe_requests=1 if kind is ChannelKind.WRITE else 0)
        channel = Channel(upstream=way, spec=compilation.spec, kind=kind, bounds=bounds, permit=_granted)
        call = PhaseCall(operation=operation, phase=phase, arguments=dict(arguments), **more)
        return await carry_out(compilation.spec, call, channel)
    finally:
        await way.close()


async def sent(
    recorder: Recorder, operation: Mapping[str, Json], arguments: Mapping[str, Json], **more: Json
) -> Recorder:
    """Import one operation, carry it out with `arguments`, and return the recorder. `more` may say path and method."""
    path, method = more.pop("path", "/things"), more.pop("method", "get")
    document: dict[str, Json] = {"openapi": "3.1.0", "info": {"title": "A", "version": "1"}, **more.pop("document", {})}
    said = {"operationId": "act", "responses": {"200": {"description": "Yes."}}, **operation}
    document["paths"] = {path: {method: said, **more.pop("item", {})}}
    compilation = all_exposed(document)
    assert not compilation.refusals, compilation.refusals
    effect = compilation.spec.operation("act").effect
    phase = Phase.READ if effect is Effect.READ else Phase.COMMIT
    result = await run(compilation, recorder, phase, "act", arguments, **more)
    assert result.kind == "done", result
    return recorder


async def _no_secrets() -> Mapping[str, str]:
    return {}


async def _granted() -> None:
    """Permit it."""
