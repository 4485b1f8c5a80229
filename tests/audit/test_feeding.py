"""The log for other systems: each line is what their own libraries read, none holds a private value."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from hub.audit import Event, EventKind, FeedOrder, ForeignFormat, append_many, events_of, feed_lines, sequence
from hub.core.errors import InputError
from hub.keys import Keyring
from hub.storage import Database

Append = Callable[[int], Awaitable[list[str]]]

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]
ALL = [*ForeignFormat]


async def feed(database: Database, keys: Keyring, shape: ForeignFormat, first: int = 0) -> list[bytes]:
    return [line async for line in feed_lines(database, keys, FeedOrder(by="usr_1", shape=shape, first=first))]


@pytest.mark.parametrize("shape", ALL)
async def test_every_event_is_a_line_in_order_and_no_private_value_is_in_any(
    database: Database, keys: Keyring, append_events: Append, shape: ForeignFormat
) -> None:
    ids = await append_events(3)

    lines = await feed(database, keys, shape)

    assert len(lines) == 4  # the last says that they were exported
    assert all(one in line.decode() for one, line in zip(ids, lines, strict=False))
    assert "Müller" not in b"".join(lines).decode()
    assert "example.org" not in b"".join(lines).decode()


async def test_a_feed_goes_on_where_the_last_one_ended(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    await append_events(3)
    before = await feed(database, keys, ForeignFormat.CLOUDEVENTS)
    await append_events(2)

    after = await feed(database, keys, ForeignFormat.CLOUDEVENTS, first=len(before))

    positions = [int(json.loads(line)["position"]) for line in (*before, *after)]
    assert positions == list(range(7))


async def test_a_log_of_more_events_than_are_read_at_once_is_fed_without_a_gap(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    ids = await append_events(1002)

    lines = await feed(database, keys, ForeignFormat.CLOUDEVENTS)

    told = [json.loads(line) for line in lines]
    assert [int(one["position"]) for one in told] == list(range(1003))
    assert [one["id"] for one in told[:-1]] == ids


async def test_beyond_the_log_there_is_nothing_to_feed_and_that_is_said(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    await append_events(2)
    await sequence(database, keys)

    with pytest.raises(InputError, match="2 numbered events"):
        await feed(database, keys, ForeignFormat.OCSF, first=3)
    assert len(await feed(database, keys, ForeignFormat.OCSF, first=2)) == 1


async def test_of_a_log_without_a_checkpoint_there_is_nothing_but_its_beginning(
    database: Database, keys: Keyring
) -> None:
    with pytest.raises(InputError, match="has 0 numbered events"):
        await feed(database, keys, ForeignFormat.OCSF, first=1)


async def test_that_it_was_asked_for_is_on_record(database: Database, keys: Keyring, append_events: Append) -> None:
    await append_events(1)
    await feed(database, keys, ForeignFormat.OTLP)

    async with database.reading() as tx:
        (made,) = await events_of(tx, "audit")
    assert (made.kind, made.actor) == (EventKind.LOG_EXPORTED, "usr_1")
    assert made.facts == {"values": False, "first": 0, "format": "otlp"}


async def test_the_cloud_events_sdk_reads_a_line(database: Database, keys: Keyring, append_events: Append) -> None:
    (event_id,) = await append_events(1)

    read = JSONFormat().read(CloudEvent, (await feed(database, keys, ForeignFormat.CLOUDEVENTS))[0])

    assert (read.get_id(), read.get_type(), read.get_subject()) == (event_id, "dev.toolhub.commit.sent", "inv_0")
    assert read.get_source().startswith("/toolhub/")
    assert read.get_time() is not None
    data: Any = read.get_data()
    assert data["facts"] == {"number": 0, "tool": "sale_confirm"}


async def test_open_telemetrys_own_message_reads_a_line(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    (event_id,) = await append_events(1)
    line = (await feed(database, keys, ForeignFormat.OTLP))[0]

    request = ParseDict(json.loads(line), ExportLogsServiceRequest(), ignore_unknown_fields=False)

    (record,) = request.resource_logs[0].scope_logs[0].log_records
    named = {one.key: one.value for one in record.attributes}
    facts = {one.key: one.value for one in named["toolhub.facts"].kvlist_value.values}
    assert record.body.string_value == "commit.sent"
    assert record.time_unix_nano > 1_700_000_000 * 10**9
    assert named["toolhub.event.id"].string_value == event_id
    assert (facts["number"].int_value, facts["tool"].string_value) == (0, "sale_confirm")


async def test_values_of_every_json_type_survive_otlp(database: Database, keys: Keyring) -> None:
    facts = {"yes": True, "none": None, "sum": 2**53 - 1, "rate": 0.5, "many": [1, "x", {"deep": False}]}
    async with database.transaction() as tx:
        await append_many(tx, [Event(kind=EventKind.LIMIT_SET, subject="lim_1", facts=facts)], keys)

    line = (await feed(database, keys, ForeignFormat.OTLP))[0]
    request = ParseDict(json.loads(line), ExportLogsServiceRequest())

    attributes = request.resource_logs[0].scope_logs[0].log_records[0].attributes
    (told,) = (one.value.kvlist_value for one in attributes if one.key == "toolhub.facts")
    read = {one.key: one.value for one in told.values}
    assert (read["yes"].bool_value, read["sum"].int_value, read["rate"].double_value) == (True, 2**53 - 1, 0.5)
    assert read["none"].WhichOneof("value") is None
    first, second, third = read["many"].array_value.values
    assert (first.int_value, second.string_value) == (1, "x")
    assert third.kvlist_value.values[0].value.WhichOneof("value") == "bool_value"
