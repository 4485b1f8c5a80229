"""What is safe, what an error proves, and that no secret shows."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from connectors.sdk import Effect, UpstreamClass
from connectors.sdk.run import Failed, PhaseCall
from connectors.sdk.vocabulary import Phase
from connectors.sdk.wire import WireRequest
from connectors.sdk.workbench import Workbench
from connectors.tryton import connector
from connectors.tryton.system import error_of
from connectors.tryton.tests.desk import Bench
from connectors.tryton.values import decoded, minor_units
from connectors.tryton_server import Person, TrytonServer
from connectors.tryton_server.office import Office

Json = Any

HARMLESS = ("read", "search", "search_count", "search_read", "fields_get")
ALSO_HARMLESS = {
    "model.party.contact_mechanism.on_change_value",
    "model.res.user.get_preferences",
    "model.sale.sale.default_get",
    "model.sale.sale.on_change_party",
    "model.sale.sale.on_change_lines",
    "model.sale.line.on_change_product",
    "model.sale.line.on_change_with_amount",
    "model.account.invoice.on_change_type",
    "model.account.invoice.default_get",
    "model.account.invoice.on_change_lines",
    "model.account.invoice.line.on_change_product",
    "model.account.invoice.line.on_change_with_amount",
}


def is_safe(operation: str) -> bool:
    body = json.dumps({"id": 1, "method": operation, "params": []})
    request = WireRequest(method="POST", path="/rpc/", body=body, operation=operation)
    return connector.spec.is_safe(request, previewing=True)


@pytest.mark.tryton
def test_of_all_methods_of_a_real_tryton_only_reads_and_trials_on_nothing_are_safe(
    tryton: TrytonServer,
) -> None:
    admin = tryton.person("admin")
    offered = admin.methods()
    admin.close()

    safe = {method for method in offered if is_safe(method)}

    assert len(offered) > 1000
    assert {method for method in safe if not method.endswith(tuple(f".{name}" for name in HARMLESS))} == ALSO_HARMLESS
    assert safe.isdisjoint(method for method in offered if method.endswith((".write", ".create", ".delete", ".copy")))


@pytest.mark.parametrize(
    "operation",
    ["common.db.login", "common.db.logout", "model.sale.sale.quote", "wizard.party.erase.execute", "model.a.reads", ""],
)
def test_everything_else_is_not_safe(operation: str) -> None:
    assert not is_safe(operation)


def test_a_safe_method_is_safe_at_the_rpc_address_only() -> None:
    body = json.dumps({"id": 1, "method": "model.sale.sale.read", "params": []})
    there, elsewhere = (
        WireRequest(method="POST", path=path, body=body, operation="model.sale.sale.read") for path in ("/rpc/", "/bus")
    )

    assert connector.spec.is_safe(there)
    assert not connector.spec.is_safe(elsewhere)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (["UserError", ["No.", "", None]], "upstream_refused"),
        (["UserWarning", ["key", "Really?", ""]], "upstream_refused"),
        (["ConcurrencyException", "Records were modified in the meanwhile"], "upstream_conflict"),
        (["LoginException", ["password", "Password", "password"]], "upstream_refused"),
        (["database is locked", "Traceback: File /srv/secret.py"], "upstream_unknown"),
        ("nonsense", "upstream_unknown"),
        ([], "upstream_unknown"),
        ({"code": -32000}, "upstream_unknown"),
    ],
)
def test_an_error_proves_no_more_than_it_says(error: Json, code: str) -> None:
    found = error_of(error)

    assert found.code == code
    assert "secret" not in found.message


def test_values_that_json_lacks_are_read() -> None:
    answer: Json = {
        "amount": {"__class__": "Decimal", "decimal": "12.50"},
        "day": {"__class__": "date", "year": 2026, "month": 2, "day": 28},
        "rows": [{"__class__": "datetime", "year": 2026, "month": 2, "day": 28, "hour": 1, "minute": 2, "second": 3}],
        "other": {"__class__": "timedelta", "seconds": 5},
    }
    answer["rows"][0]["microsecond"] = 4

    assert decoded(answer) == {
        "amount": Decimal("12.50"),
        "day": date(2026, 2, 28),
        "rows": ["2026-02-28T01:02:03.000004"],
        "other": {"__class__": "timedelta", "seconds": 5},
    }


@pytest.mark.parametrize(("amount", "digits", "minor"), [("12.5", 2, 1250), ("-0.01", 2, -1), ("300", 0, 300)])
def test_money_is_told_in_minor_units(amount: str, digits: int, minor: int) -> None:
    assert minor_units(Decimal(amount), digits) == minor


def test_a_fraction_of_a_minor_unit_is_no_money() -> None:
    with pytest.raises(ValueError, match="more than 2 decimal places"):
        minor_units(Decimal("0.005"), 2)


def test_every_write_promises_what_it_can_keep() -> None:
    writes = [operation for operation in connector.spec.operations if operation.effect is not Effect.READ]

    assert {operation.name for operation in writes if operation.upstream_class is UpstreamClass.C} == {
        "party_create",
        "sale_create",
        "invoice_create",
    }
    assert {operation.upstream_class for operation in writes} == {UpstreamClass.B, UpstreamClass.C}
    assert all(operation.observable and operation.max_unsafe_requests == 1 for operation in writes)


@pytest.mark.anyio
@pytest.mark.tryton
async def test_no_secret_is_in_an_error_when_the_login_is_wrong(tryton: TrytonServer) -> None:
    header = {"authorization": "Session c2VjcmV0OjE6c2VjcmV0"}
    async with Workbench(connector, tryton.base_url, headers=header) as bench:
        result = await bench.read("party_get", party_id=3)

    assert isinstance(result, Failed)
    assert result.code == "upstream_unavailable"
    assert "c2VjcmV0" not in result.message


@pytest.mark.anyio
@pytest.mark.tryton
async def test_no_write_leaves_in_any_phase_but_the_commit(bench: Bench, office: Office, clerk: Person) -> None:
    sale = office.sale()
    preview = await bench.foresee("sale_quote", sale_id=sale)
    order = bench.order("sale_quote", preview, key="key-1", sale_id=sale)

    results = [
        await bench.run(PhaseCall(operation="sale_quote", phase=phase, arguments={"sale_id": sale}))
        for phase in (Phase.READ, Phase.LOOKUP)
    ]

    assert order.phase is Phase.COMMIT
    assert all(isinstance(result, Failed) and result.code == "phase_missing" for result in results)
    assert clerk.read("sale.sale", sale, "state")["state"] == "draft"
