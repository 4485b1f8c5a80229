"""No classified value reaches a recording in a form, in bytes or in base64, and what is asked again is still found."""

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus, urlencode

import pytest
from upstream.classified import connector as classified

from connectors.sdk.harness import PlainHarness
from connectors.sdk.wire import WireRequest, WireResponse
from hub.execution import NoAnswer, Received
from hub.invocations.proving.recording import Recorder, Recording
from hub.invocations.proving.replaying import Replay

pytestmark = pytest.mark.anyio

Json = Any

OWNER, TOKEN, PIN, STOCK = 'Ada "Ada" Lovelace-Körner & Co', "s3cr3t-t0k3n-of-a-hub", "x7", 48_151_623
FORM = "application/x-www-form-urlencoded"
PICTURE = b"\x89PNG\r\n\x1a\n\x00\xff"
UNREADABLE = b"\x00\x01\xfe\xff"


def packed(content: str | bytes) -> str:
    """Return `content` in base64."""
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


def parts(name: str, quantity: int, *, boundary: str) -> bytes:
    """Return a form of several parts, one of which is a picture and one JSON."""
    held = (
        (b'form-data; name="name"', b"text/plain", name.encode()),
        (b'form-data; name="meta"', b"application/json", json.dumps({"quantity": quantity}).encode()),
        (b'form-data; name="file"; filename="a.png"', b"image/png", PICTURE),
    )
    lines = [
        b"--%s\r\nContent-Disposition: %s\r\nContent-Type: %s\r\n\r\n%s\r\n" % (boundary.encode(), *one) for one in held
    ]
    return b"".join(lines) + b"--%s--\r\n" % boundary.encode()


def bodies(name: str, quantity: int) -> Mapping[str, WireRequest]:
    """Return requests that carry both values, each in another way."""
    boundary = f"b{len(name)}"
    several = {"content-type": f"multipart/form-data; boundary={boundary}"}
    said = json.dumps({"name": name, "quantity": quantity})
    fields: list[tuple[str, str]] = [("name", name), ("item[quantity]", str(quantity)), ("note", f"for {name}")]
    ways: dict[str, dict[str, Json]] = {
        "a form": {"headers": {"content-type": FORM}, "body": urlencode(fields)},
        "a form, as bytes": {"headers": {"content-type": FORM}, "body_base64": packed(urlencode(fields))},
        "a form with JSON": {"headers": {"content-type": FORM}, "body": urlencode([("item", said)])},
        "several parts": {"headers": several, "body_base64": packed(parts(name, quantity, boundary=boundary))},
        "JSON, as bytes": {"headers": {"content-type": "application/json"}, "body_base64": packed(said)},
        "bytes": {"headers": {}, "body_base64": packed(UNREADABLE + name.encode())},
        "base64 in JSON": {"headers": {}, "body": json.dumps({"file": packed(f"To {name}, and so on")})},
        "a form of no type": {"headers": {}, "body": urlencode(fields)},
        "a text": {"headers": {}, "body": f"{quantity} for {name}, {quantity}."},
        "a number in a path": {
            "headers": {},
            "path": f"/items/{quantity}:count/of({quantity})/is%3D{quantity}/{quote(name)}",
        },
        "a path": {"headers": {}, "path": f"/items/{quote(name, safe='')}/of/{quote(name)}"},
        "a query": {"headers": {}, "query": (("name", name), ("quantity", str(quantity)))},
    }
    return {way: WireRequest.model_validate({"method": "POST", "path": "/items", **one}) for way, one in ways.items()}


WAYS = [*bodies("anybody", 0)]


def read_in_every_way(written: str) -> str:
    """Return `written`, what it is without escapes, and what is in its base64 wherever that begins."""
    found = [written, unquote_plus(written), json.dumps(json.loads(written), ensure_ascii=False)]
    for run in re.findall(r"[A-Za-z0-9+/_-]{8,}", written):
        for start in range(4):
            text = run[start:].replace("-", "+").replace("_", "/")
            found.append(base64.b64decode(text + "A" * (-len(text) % 4)).decode("latin-1"))
    return "\n".join(found)


async def recorded(
    request: WireRequest, answer: WireResponse, *, arguments: Mapping[str, Json] | None = None
) -> Recording:
    """Return a recording of one request, whose arguments were classified, and its answer."""
    harness = PlainHarness(system="somewhere", base_url="http://127.0.0.1:9", secret={"token": TOKEN})
    recorder = Recorder(harness, classified.spec)

    async def onward() -> Received:
        return Received(answer, len(answer.body))

    await recorder.around(request, onward)
    said = [arguments or {"name": OWNER, "quantity": STOCK}]
    return recorder.recording(said=said, seed="1", at=datetime(2026, 11, 21, tzinfo=UTC))


OK = WireResponse(status=200, headers={}, body="{}")


@pytest.mark.parametrize("way", WAYS)
async def test_a_classified_value_reaches_the_file_in_no_kind_of_request(way: str) -> None:
    recording = await recorded(bodies(OWNER, STOCK)[way], OK)

    written = read_in_every_way(recording.model_dump_json())
    assert [one for one in ("Lovelace", "Körner", "K\u00c3\u00b6rner", str(STOCK)) if one in written] == []


@pytest.mark.parametrize("way", WAYS)
async def test_the_same_request_with_made_up_values_finds_its_answer(way: str) -> None:
    recording = await recorded(bodies(OWNER, STOCK)[way], OK)
    replay = Replay(recording, classified.spec)

    async def onward() -> Received:
        raise AssertionError("nothing is sent")

    received = await replay.around(bodies("redacted-3", 1)[way], onward)

    assert (received.response, replay.gaps) == (OK, [])
    with pytest.raises(NoAnswer):
        await Replay(recording, classified.spec).around(bodies("somebody else", 1)[way], onward)


@pytest.mark.parametrize(
    "body",
    [
        packed(json.dumps({"name": OWNER, "echo": TOKEN})),
        packed(f"Signed in as {TOKEN}"),
        packed(UNREADABLE + TOKEN.encode() + OWNER.encode()),
        packed(PICTURE),
    ],
    ids=["JSON", "a text", "bytes", "a picture"],
)
async def test_an_answer_of_bytes_is_kept_as_what_it_is_or_by_its_digest(body: str) -> None:
    answer = WireResponse(status=200, headers={}, body=body)
    recording = await recorded(WireRequest(method="GET", path="/file", wants_bytes=True), answer)

    written = read_in_every_way(recording.model_dump_json())
    assert [one for one in ("Lovelace", TOKEN, PICTURE.decode("latin-1")) if one in written] == []
    (kept,) = recording.exchanges
    assert kept.answer is not None
    told = base64.b64decode(kept.answer.body).decode()
    assert ("SHA-256" in told) is (body in {packed(PICTURE), packed(UNREADABLE + TOKEN.encode() + OWNER.encode())})


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
async def test_a_secret_shows_in_no_base64_wherever_it_stands_there(before: str) -> None:
    told = f"authorization: Basic {packed(f'{before}{TOKEN}')} {packed(UNREADABLE + before.encode() + TOKEN.encode())}"
    urls = {"link": f"</items?token={quote_plus(TOKEN)}&name={quote_plus(OWNER)}>"}

    recording = await recorded(
        WireRequest(method="GET", path="/echo"), WireResponse(status=200, headers=urls, body=told)
    )

    written = read_in_every_way(recording.model_dump_json())
    assert [one for one in (TOKEN, "Lovelace") if one in written] == []


async def test_a_short_classified_value_is_known_by_its_field_in_a_form() -> None:
    recording = await recorded(
        WireRequest(method="POST", path="/pins", headers={"content-type": FORM}, body=f"name={PIN}&id=7"), OK
    )

    (kept,) = recording.exchanges
    assert kept.question.body is not None
    assert PIN not in kept.question.body
    assert "id=7" in kept.question.body
