"""Attempts by a system's answers, and by what a base URL means, to make the hub send something elsewhere."""

import gzip
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from execution_decoy import GET, METADATA, SMUGGLER, Scene, refused
from execution_house import order
from sandbox_server import Asked, Reply

from hub.execution import Failed, Succeeded, Unknown, Violation

pytestmark = pytest.mark.anyio


# -- what a system may answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308])
@pytest.mark.parametrize("where", ["http://DECOY/", "//DECOY/", f"http://{METADATA}/latest/", "file:///etc/passwd"])
async def test_no_redirect_is_followed_or_told(status: int, where: str, scene: Scene) -> None:
    location = scene.filled(where)
    scene.system.answer = lambda _: Reply(status=status, headers={"location": location, "refresh": f"0;url={location}"})

    outcome = await scene.asks(GET)

    assert isinstance(outcome, Succeeded)
    assert f'"status": {status}' in outcome.output["text"].replace('"status":', '"status": ')
    assert '"location"' not in outcome.output["text"]
    assert len(scene.system.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_write_that_is_redirected_is_unknown(status: int, scene: Scene) -> None:
    location = scene.filled("http://DECOY/")
    scene.system.answer = lambda _: Reply(status=status, headers={"location": location})

    ran = await scene.house.commit(SMUGGLER, "tell", order(), request={"method": "POST", "path": "/items"})

    assert isinstance(ran.outcome, Unknown)
    assert len(scene.system.asked) == 1


async def test_a_preview_that_writes_past_the_sdk_is_a_violation(scene: Scene) -> None:
    ran = await scene.house.preview(SMUGGLER, "tell", request={"method": "POST", "path": "/items"})

    assert isinstance(ran.outcome, Violation)
    assert scene.system.asked == []


ANSWERS: Mapping[str, bytes] = {
    "another protocol": b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n\x81\x05hello",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a header without end": b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000,
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 50_000,
    "a chunk of every size": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx",
    "a chunk of no size": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "a length below nothing": b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nab",
    "a length beyond all": b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\nab",
    "another packing": b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 2\r\n\r\nab",
    "packed twice": b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip, gzip\r\ncontent-length: 2\r\n\r\nab",
    "no packing": b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nab",
}


@pytest.mark.parametrize("attempt", ANSWERS)
async def test_an_answer_that_is_none_harms_nobody(attempt: str, scene: Scene) -> None:
    scene.system.answer = lambda _: Reply(raw=ANSWERS[attempt])

    outcome = await scene.asks(GET)

    assert isinstance(outcome, Succeeded), "the connector is told, and lives"
    assert '"error"' in outcome.output["text"] or '"status":101' in outcome.output["text"].replace(" ", "")
    assert "hello" not in outcome.output["text"]


async def test_a_bomb_does_not_go_off(scene: Scene) -> None:
    bomb = gzip.compress(bytes(200 * 1024 * 1024), 1)
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(bomb)}\r\n\r\n".encode()
    scene.system.answer = lambda _: Reply(raw=head + bomb)

    outcome = await scene.asks(GET)

    assert isinstance(outcome, Succeeded)
    assert "larger than" in outcome.output["text"]


@pytest.mark.parametrize(
    ("raw", "again"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 500, b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (b"", b""),
    ],
    ids=["announcements", "crumbs", "silence"],
)
async def test_an_answer_that_never_ends_meets_the_deadline(raw: bytes, again: bytes, scene: Scene) -> None:
    scene.system.answer = lambda _: Reply(raw=raw, again=again)

    outcome = await scene.asks(GET, seconds=0.7)

    assert isinstance(outcome, Failed)
    assert outcome.code == "out_of_time"


async def test_no_cookie_or_service_of_an_answer_is_kept(scene: Scene) -> None:
    elsewhere = scene.filled('h2="DECOY"; ma=1000')
    scene.system.answer = lambda _: Reply(headers={"set-cookie": "a=b", "alt-svc": elsewhere, "connection": "x"})

    outcomes = [await scene.asks(GET) for _ in range(2)]

    assert all(isinstance(outcome, Succeeded) for outcome in outcomes)
    assert [asked.header("cookie") for asked in scene.system.asked] == [None, None]
    assert "set-cookie" not in repr(outcomes)


# -- where a connection may lead --------------------------------------------------------------------------------

BASES = {
    "metadata": f"http://{METADATA}",
    "metadata over IPv6": "http://[fd00:ec2::254]",
    "metadata, mapped": f"http://[::ffff:{METADATA}]",
    "metadata, mapped in hexadecimal": "http://[::ffff:a9fe:a9fe]",
    "metadata by a translator": "http://[64:ff9b::a9fe:a9fe]",
    "metadata in one number": "http://2852039166",
    "metadata in octal": "http://0251.0376.0251.0376",
    "metadata in hexadecimal": "http://0xa9.0xfe.0xa9.0xfe",
    "metadata in circles": "http://\u2460\u2465\u2468.254.169.254",
    "metadata with a dot": f"http://{METADATA}.",
    "this machine in one number": "http://2130706433:PORT",
    "this machine, shortened": "http://127.1:PORT",
    "this machine, in octal": "http://0177.0.0.1:PORT",
    "this machine, as nobody": "http://0.0.0.0:PORT",
    "this machine, as nobody over IPv6": "http://[::]:PORT",
    "this machine, as zero": "http://0:PORT",
    "a link": "http://169.254.1.1",
    "a link over IPv6": "http://[fe80::1]",
    "an interface": "http://[fe80::1%25lo]:PORT",
    "everybody": "http://255.255.255.255",
    "a group": "http://224.0.0.1",
    "a user": "http://user@127.0.0.1:PORT",
    "a user that looks like a host": "http://erp.example@127.0.0.1:PORT",
    "a backslash": "http://erp.example\\@127.0.0.1:PORT",
    "a file": "file:///etc/passwd",
    "a socket": "unix:///var/run/docker.sock",
    "gopher": "gopher://127.0.0.1:PORT",
    "a second line": "http://127.0.0.1:PORT/\r\nx: y",
}


@pytest.mark.parametrize("attempt", BASES)
async def test_a_base_url_is_read_one_way_and_judged(attempt: str, scene: Scene) -> None:
    port = scene.decoy.base_url.rpartition(":")[2]
    scene.house.connection = replace(scene.house.connection, base_url=BASES[attempt].replace("PORT", port))

    outcome = await scene.asks(GET)

    assert refused(outcome) or "may not connect to" in repr(outcome), outcome
    assert scene.names.asked == []


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"],
        ["::1"],
        ["10.0.0.1"],
        [METADATA],
        ["::ffff:127.0.0.1"],
        ["93.184.215.14", "127.0.0.1"],
        [str(IPv4Address(0))],
    ],
    ids=repr,
)
async def test_a_public_name_leads_to_nothing_private(found: list[str], scene: Scene) -> None:
    port = scene.decoy.base_url.rpartition(":")[2]
    scene.names.meanings["erp.example.com"] = [found]
    await scene.house.connect(f"http://erp.example.com:{port}")

    outcome = await scene.asks(GET)

    assert isinstance(outcome, Succeeded)
    assert "leads to an address" in outcome.output["text"]
    assert "Nothing was sent" in outcome.output["text"]


async def test_a_name_that_changes_its_meaning_is_judged_anew_and_leads_nowhere(scene: Scene) -> None:
    """DNS rebinding: each connection goes to the address that was judged for it, and asks once."""
    port = scene.system.base_url.rpartition(":")[2]
    scene.names.meanings["erp.internal"] = [["127.0.0.1"], [METADATA]]
    await scene.house.connect(f"http://erp.internal:{port}")

    def close(_: Asked) -> Reply:
        return Reply(raw=b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")

    scene.system.answer = close
    first, second = await scene.asks(GET), await scene.asks(GET)

    assert "ok" in repr(first)
    assert "leads to an address" in repr(second)
    assert scene.names.asked == ["erp.internal"] * 2
    (asked,) = scene.system.asked
    assert asked.header("host") == f"erp.internal:{port}"
