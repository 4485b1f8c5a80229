"""Previews that are tried in a twin: a copy of Tryton's database, which keeps nothing of them, nor of any commit."""

import sqlite3
from collections.abc import AsyncGenerator, Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from erp.company import Company, connect, wire_to
from upstream.fixtures import Upstream
from world import open_world

from connectors.sdk import Fidelity, Preview
from connectors.tryton_server import Person, TrytonServer, install
from connectors.tryton_server.installation import TWIN
from connectors.tryton_server.office import Office
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.keys import Keyring
from hub.storage import Database

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.tryton,
    pytest.mark.more,
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]

Json = Any
Sales = dict[str, int]


@pytest.fixture(scope="module")
def began() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def twinned(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, began: datetime
) -> Generator[TrytonServer]:
    del began
    installation = install(request.config.rootpath / ".venvs", print)
    with TrytonServer(installation, tmp_path_factory.mktemp("twinned")) as server:
        yield server


@pytest.fixture(scope="module")
def sales(twinned: TrytonServer) -> Sales:
    """What was there when the twin was made."""
    with closing(twinned.person("clerk")) as before:
        office = Office(before)
        made = {"draft": office.sale(), "moved on": office.sale(), "quoted": office.sale("quote")}
        made["invoice"] = office.invoice()
    twinned.make_twin()
    return made


@pytest.fixture
def colleague(twinned: TrytonServer, sales: Sales) -> Generator[Person]:
    del sales
    with closing(twinned.person("clerk")) as person:
        yield person


@pytest.fixture
async def company(
    database: Database, keys: Keyring, upstream: Upstream, twinned: TrytonServer, colleague: Person
) -> AsyncGenerator[Company]:
    async with (
        open_world(database, keys, upstream) as world,
        wire_to(twinned) as (wire, base_url),
    ):
        caller = await connect(world, twinned, base_url, twin=f"{base_url}_twin")
        yield Company(world=world, server=twinned, wire=wire, office=Office(colleague), caller=caller)


def preview_of(invocation: Invocation) -> Preview:
    assert invocation.preview is not None, invocation
    return invocation.preview.preview


async def test_a_preview_is_tried_in_the_twin_and_says_how_old_that_is(
    company: Company, sales: Sales, twinned: TrytonServer, began: datetime
) -> None:
    live, twin = twinned.snapshot(), twinned.snapshot(TWIN)

    asked = await company.call("sale_confirm", sale_id=sales["quoted"])

    preview = preview_of(asked)
    assert preview.fidelity is Fidelity.TWIN, preview.not_covered
    assert preview.copied_at is not None
    assert began - timedelta(seconds=1) <= preview.copied_at <= datetime.now(UTC)
    assert [change.target.rpartition("/")[2] for change in preview.changes[1:]] == ["invoice 1", "shipment 1"]
    assert (twinned.snapshot(), twinned.snapshot(TWIN)) == (live, twin)
    assert asked.preview is not None
    tried = [entry for entry in asked.preview.transcript if entry["operation"] == "model.hub.trial.run"]
    assert [entry["on_twin"] for entry in tried] == [True]


async def test_what_the_twin_showed_comes_in_the_live_system_and_never_in_the_twin(
    company: Company, sales: Sales, colleague: Person, twinned: TrytonServer
) -> None:
    twin = twinned.snapshot(TWIN)
    asked = await company.call("sale_quote", sale_id=sales["draft"])

    done = await company.approved(asked)

    assert preview_of(asked).fidelity is Fidelity.TWIN
    assert done.state is State.VERIFIED
    assert colleague.read("sale.sale", sales["draft"], "state")["state"] == "quotation"
    assert twinned.snapshot(TWIN) == twin


async def test_an_invoice_is_posted_as_the_twin_showed(company: Company, sales: Sales) -> None:
    asked = await company.call("invoice_post", invoice_id=sales["invoice"])

    done = await company.approved(asked)

    assert preview_of(asked).fidelity is Fidelity.TWIN
    assert len(preview_of(asked).changes) == 2, "the invoice and its entry"
    assert done.state is State.VERIFIED


async def test_a_line_changed_since_the_copy_leaves_the_preview_simulated(
    company: Company, sales: Sales, colleague: Person
) -> None:
    sale = sales["moved on"]
    colleague.write("sale.line", company.office.first_of("sale.sale", sale, "lines"), quantity=7.0)

    preview = preview_of(await company.call("sale_quote", sale_id=sale))

    assert (preview.fidelity, preview.copied_at) == (Fidelity.SIMULATED, None)
    assert any("has changed since it was copied" in sentence for sentence in preview.not_covered)


async def test_a_record_made_since_the_copy_leaves_the_preview_simulated(company: Company) -> None:
    preview = preview_of(await company.call("sale_quote", sale_id=company.office.sale()))

    assert preview.fidelity is Fidelity.SIMULATED
    assert any("a trial in the twin" in sentence for sentence in preview.not_covered)


async def test_a_database_that_does_not_say_that_it_is_a_copy_is_no_twin(
    company: Company, sales: Sales, twinned: TrytonServer
) -> None:
    with without_its_mark(twinned.database_file.parent / f"{TWIN}.sqlite"):
        preview = preview_of(await company.call("sale_cancel", sale_id=sales["quoted"]))

    assert preview.fidelity is Fidelity.SIMULATED
    assert any("may be no copy" in sentence for sentence in preview.not_covered)


@contextmanager
def without_its_mark(file: Path) -> Generator[None]:
    """Take the twin's mark away for a while; it is put back whole, for the tests that come after."""
    with closing(sqlite3.connect(file)) as twin, twin:
        twin.execute("CREATE TABLE kept AS SELECT * FROM hub_trial_copy")
        twin.execute("DELETE FROM hub_trial_copy")
    try:
        yield
    finally:
        with closing(sqlite3.connect(file)) as twin, twin:
            twin.execute("INSERT INTO hub_trial_copy SELECT * FROM kept")
            twin.execute("DROP TABLE kept")
