"""The hub's own requests: where they may lead, and that nothing that answers can hold them up or lead them on."""

import socket
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute, SocketStream
from anyio.streams.tls import TLSStream
from cryptography.x509 import DNSName
from upstream.certificates import made_for

from hub.execution import Reach, judged_by
from hub.outbound import NotFetched, Outbound
from sandbox.judged import judged_pool
from sandbox.reach import Address

pytestmark = pytest.mark.anyio

HERE = judged_by(Reach())


@asynccontextmanager
async def answering(raw: bytes, *, then_wait: bool = False, shows: ssl.SSLContext | None = None) -> AsyncGenerator[int]:
    """Answer every request with these bytes, over TLS if it `shows` a certificate, or hang then; yield the port."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port: int = listener.extra(SocketAttribute.local_port)  # noqa: S610  # anyio's, not Django's

    async def answer(stream: SocketStream) -> None:
        async with stream:
            await greet(stream)

    async def greet(stream: SocketStream) -> None:
        with suppress(anyio.BrokenResourceError, anyio.EndOfStream, OSError):
            if shows is None:
                await speak(stream)
            else:
                await speak(await TLSStream.wrap(stream, server_side=True, ssl_context=shows))

    async def speak(stream: ByteStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(raw)
            if then_wait:
                await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(listener.serve, answer)
        yield port
        group.cancel_scope.cancel()
    await listener.aclose()


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def test_an_answer_is_returned_as_it_is_and_a_redirect_is_one() -> None:
    outbound = Outbound(HERE)
    async with answering(http(b"{}", "content-type: application/json; charset=utf-8")) as port:
        answer = await outbound.get(f"http://127.0.0.1:{port}/x")
    async with answering(http(b"", "location: http://169.254.169.254/", status="302 Found")) as port:
        redirect = await outbound.get(f"http://127.0.0.1:{port}/x")

    assert (answer.status, answer.body, answer.media_type) == (200, b"{}", "application/json")
    assert redirect.status == 302


async def test_an_answer_that_is_too_large_or_never_ends_is_given_up() -> None:
    endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n"
    async with answering(http(b"x" * 101)) as port:
        with pytest.raises(NotFetched, match="larger than 100"):
            await Outbound(HERE).get(f"http://127.0.0.1:{port}/", largest=100)
    async with answering(endless, then_wait=True) as port:
        with pytest.raises(NotFetched, match="within"):
            await Outbound(HERE, seconds=0.2).get(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("raw", [b"", b"nonsense\r\n\r\n", http(b"x", "content-encoding: gzip")], ids=["", "no", "zip"])
async def test_what_is_no_whole_answer_is_none(raw: bytes) -> None:
    async with answering(raw) as port:
        with pytest.raises(NotFetched):
            await Outbound(HERE).get(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "ftp://example.org/",
        "https://user@example.org/",
        "https://example.org/#x",
        "https://example.org:port/",
        "https:///x",
        "https://exa mple.org/",
        "https://example.org\\@evil.example/",
        "file:///etc/passwd",
        "",
    ],
)
async def test_nothing_but_a_plain_https_address_is_asked(url: str) -> None:
    def nobody() -> NoReturn:
        raise AssertionError("nobody is looked up")

    with pytest.raises(NotFetched):
        await Outbound(nobody).get(url)


async def test_a_host_that_no_resolver_can_be_asked_for_is_not_asked() -> None:
    with pytest.raises(NotFetched, match="cannot be asked"):
        await Outbound(HERE).get("https://a..b.example/")


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "224.0.0.1", "[::ffff:169.254.169.254]"])
async def test_metadata_services_and_their_like_are_out_of_reach(host: str) -> None:
    with pytest.raises(NotFetched, match="may not connect"):
        await Outbound(HERE).get(f"https://{host}/latest/meta-data/")


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "[::1]", "192.168.0.1"])
async def test_where_no_private_network_is_allowed_none_is_asked(host: str) -> None:
    public_alone = judged_by(Reach(private_networks=()))

    with pytest.raises(NotFetched, match="may not connect"):
        await Outbound(public_alone).get(f"https://{host}/")


async def test_a_public_name_that_leads_inside_is_refused_and_looked_up_once() -> None:
    asked = list[str]()

    async def rebound(host: str) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with pytest.raises(NotFetched, match="may not connect"):
        await Outbound(judged_by(Reach(resolve=rebound))).get("https://agents.example.org/client.json")
    assert asked == ["agents.example.org"]


async def here(_host: str) -> Sequence[Address]:
    return [ip_address("127.0.0.1")]


async def test_the_connection_goes_to_the_address_that_was_judged() -> None:
    async with answering(http(b"{}")) as port:
        with pytest.raises(NotFetched) as caught:  # it speaks no TLS: nothing was sent in the clear
            await Outbound(partial(judged_pool, here, most=1, kept=0)).get(f"https://agents.example.org:{port}/x")
    assert "agents.example.org" in str(caught.value)


async def test_over_tls_the_name_that_was_asked_for_has_to_prove_itself(tmp_path: Path) -> None:
    shown, believing = made_for(DNSName("agents.example.org"), tmp_path)
    machines = partial(judged_pool, here, most=1, kept=0)
    judged = partial(machines, tls=believing)

    async with answering(http(b"{}"), shows=shown) as port:
        answer = await Outbound(judged).get(f"https://agents.example.org:{port}/client.json")
        with pytest.raises(NotFetched):
            await Outbound(judged).get(f"https://other.example.org:{port}/client.json")
        with pytest.raises(NotFetched):
            await Outbound(machines).get(f"https://agents.example.org:{port}/client.json")

    assert answer.body == b"{}"


async def test_a_port_where_nobody_listens_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotFetched, match="cannot be asked"):
        await Outbound(HERE).get(f"http://127.0.0.1:{port}/")
