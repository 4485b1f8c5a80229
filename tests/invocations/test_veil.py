"""The veil hides a call's secrets however a connector writes them, and never from the connector itself."""

import base64
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from upstream.connector import connector
from upstream.fixtures import Upstream
from world import World, open_world

from connectors.sdk.preview import Blast, Change, Preview
from connectors.sdk.vocabulary import Effect
from hub.core.redaction import REDACTED
from hub.execution import CommitOrder, Observed, Passage, Passed, Previewed, Ran
from hub.invocations.commit import commit
from hub.invocations.states import State
from hub.invocations.veil import Veil
from hub.keys import Keyring
from hub.storage import Database

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

KEY = "my $ecret Key/47-11"
LONG = "KEY-" + "4711" * 180


def over(keys: Keyring, **secrets: Any) -> Veil:  # noqa: ANN401  # any JSON
    """Return the veil over a call all of whose arguments are secret."""
    return Veil(keys, "inv_1", dict.fromkeys(secrets, REDACTED), secrets)


@pytest.mark.parametrize(
    "written",
    [
        KEY,
        KEY.lower(),
        "my%20$ecret%20Key/47-11",
        "my%20%24ecret%20Key%2f47-11",
        "my+%24ecret+Key%2F47-11",
        base64.b64encode(KEY.encode()).decode(),
    ],
)
async def test_a_secret_is_found_however_it_is_written(keys: Keyring, written: str) -> None:
    told = over(keys, key=KEY).text(f"The system says: {written}, and no.")

    assert told == f"The system says: {REDACTED}, and no."


@pytest.mark.parametrize("length", [9, 60, 290])
async def test_the_beginning_of_a_secret_is_hidden_where_a_text_was_cut(keys: Keyring, length: int) -> None:
    told = over(keys, key=LONG).text(f"The key {LONG[:length]}")

    assert told == f"The key {REDACTED}"


async def test_a_secret_that_is_a_flag_is_hidden_by_its_name(keys: Keyring) -> None:
    ran = Ran(
        outcome=Observed(records={"patients/1": {"is_ill": True, "is_open": True}}),
        passage=Passage(transcript=(), sandbox_level="full", latency_ms=1),
    )

    shown = over(keys, is_ill=True).ran(ran).outcome

    assert isinstance(shown, Observed)
    record = shown.records["patients/1"] or {}
    assert record["is_open"] is True
    assert str(record["is_ill"]).startswith(REDACTED[:-1])


async def test_who_decides_is_told_what_a_secret_of_the_agents_choice_hides(keys: Keyring) -> None:
    change = Change(
        target="parties/Acme-4711",
        effect=Effect.UPDATE,
        before={"name": "Acme-4711", "key": "old"},
        after={"name": "Acme-4711", "key": "Acme-4711"},
    )
    blast = Blast(money_minor=4711, currency="EUR")
    ran = Ran(
        outcome=Previewed(preview=Preview(changes=(change,), blast=blast, not_covered=("taxes",))),
        passage=Passage(transcript=(), sandbox_level="full", latency_ms=1),
    )

    shown = over(keys, key="Acme-4711", code=4711).ran(ran).outcome

    assert isinstance(shown, Previewed)
    assert shown.preview.not_covered == (
        "taxes",
        "what parties/[redacted] is called in full: a secret that the agent gave stands in its name",
        "all of 'name' of parties/[redacted]: a secret that the agent gave stands in it",
    )
    assert "4711" not in repr(shown)


async def test_a_number_of_few_digits_is_hidden_by_its_name_alone(keys: Keyring) -> None:
    veil = over(keys, pin=1, code=4711)

    shown = veil.hide({"pin": 1, "count": 1, "name": "box 1 of 3", "note": "4711", "other": 4711})

    assert (shown["count"], shown["name"]) == (1, "box 1 of 3")
    assert all(str(shown[name]).startswith(REDACTED[:-1]) for name in ("pin", "note", "other"))


async def test_without_secrets_there_is_no_veil(keys: Keyring) -> None:
    ran = Ran(outcome=Passed(), passage=Passage(transcript=(), sandbox_level="full", latency_ms=1))

    assert Veil(keys, "inv_1", {"id": 1}, {"id": 1}).ran(ran) is ran


@pytest.fixture
async def secretive(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[World]:
    """The test connector, published with the quantity of an item marked as secret."""
    spec = connector.spec.model_copy(deep=True)
    (operation,) = (one for one in spec.operations if one.name == "item_update")
    operation.input_schema["properties"]["quantity"]["x-secret"] = True
    async with open_world(database, keys, upstream, spec=spec) as world:
        yield world


async def test_the_connector_gets_back_what_its_preview_found_and_no_markers(
    secretive: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may write it back; with a marker in it, the marker would stand in the system."""
    secretive.upstream.store.rows("UPDATE item SET name = 'Box 1234 blue' WHERE id = 1")
    orders, carry_out = list[CommitOrder](), secretive.runtime.executor.commit

    async def noted(*given: Any, order: CommitOrder) -> Ran[Any]:  # noqa: ANN401  # whatever it is given
        orders.append(order)
        return await carry_out(*given, order=order)

    monkeypatch.setattr(secretive.runtime.executor, "commit", noted)
    asked = await secretive.call("item_update", {"id": 1, "quantity": 1234})
    done = asked if asked.state is not State.AWAITING_APPROVAL else await secretive.vote(asked, secretive.ann)
    done = await commit(done, secretive.runtime) if done.state is State.APPROVED else done

    assert done.state is State.VERIFIED
    assert asked.preview is not None
    assert asked.preview.preview.changes[0].before is not None
    assert REDACTED in asked.preview.preview.changes[0].before["name"]
    assert [order.before["items/1"]["name"] for order in orders] == ["Box 1234 blue"]
    assert done.sealed_before is None
