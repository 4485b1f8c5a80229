"""Parties, their contacts and payment terms, on a real Tryton."""

from typing import Any

import pytest

from connectors.sdk.run import Failed, Found, NotFoundYet
from connectors.tryton.tests.desk import Bench
from connectors.tryton_server import Person, TrytonServer
from connectors.tryton_server.office import Office

pytestmark = [pytest.mark.anyio, pytest.mark.tryton]

Json = Any

NEW: dict[str, Json] = {
    "name": "Vermilion Dyes",
    "email": "office@vermilion.example",
    "phone": "+3726400777",
    "address": {"street": "6 Madder Lane", "postal_code": "2611 AB", "city": "Delft"},
}


async def test_parties_are_found_by_a_part_of_their_name_whatever_its_case(bench: Bench) -> None:
    found = await bench.answer("party_find", text="BAKERY")

    assert [party["name"] for party in found["parties"]] == ["Aurora Bakery"]
    assert not found["has_more"]


@pytest.mark.parametrize("sign", ["%", "_", "\\"])
async def test_signs_of_the_pattern_language_are_searched_for_as_they_stand(
    bench: Bench, office: Office, sign: str
) -> None:
    party = office.customer(name=f"Half {sign} Moon")

    found = await bench.answer("party_find", text=f"half {sign}")

    assert [item["id"] for item in found["parties"]] == [party]


async def test_pages_follow_each_other_without_gap_or_overlap(bench: Bench) -> None:
    first = await bench.answer("party_find", limit=7)
    second = await bench.answer("party_find", limit=7, after=first["parties"][-1]["id"])

    ids = [party["id"] for party in first["parties"] + second["parties"]]
    assert len(ids) == 14
    assert ids == sorted(set(ids))
    assert first["has_more"]


async def test_an_archived_party_is_still_found_and_says_so(bench: Bench, office: Office) -> None:
    party = office.archived_customer()

    assert (await bench.answer("party_get", party_id=party))["is_active"] is False


async def test_a_party_that_is_not_there_is_not_found(bench: Bench) -> None:
    result = await bench.read("party_get", party_id=999_999)

    assert result == Failed(code="upstream_not_found", message="There is no party 999999 in Tryton.")


async def test_a_created_party_is_the_foreseen_one(bench: Bench) -> None:
    preview = await bench.foresee("party_create", **NEW)

    output = await bench.carry_out("party_create", preview, key="create-1", **NEW)
    records = await bench.observe("party_create", preview, output, **NEW)

    (change,) = preview.changes
    foreseen = dict(change.after or {})
    assert {name: records[change.target][name] for name in foreseen} == foreseen
    assert foreseen["phone"] == "+372 640 0777"
    assert output["code"]


async def test_a_party_needs_no_more_than_a_name(bench: Bench) -> None:
    preview = await bench.foresee("party_create", name="Plain")

    output = await bench.carry_out("party_create", preview, key="create-2", name="Plain")

    assert output["name"] == "Plain"
    assert output["contacts"] == []
    assert len(output["addresses"]) == 1


async def test_the_preview_of_a_creation_leaves_the_database_as_it_was(bench: Bench, tryton: TrytonServer) -> None:
    before = tryton.snapshot()

    await bench.foresee("party_create", **NEW)

    assert tryton.snapshot() == before


async def test_looking_up_finds_what_a_commit_created_and_only_that(bench: Bench) -> None:
    preview = await bench.foresee("party_create", **NEW)
    nothing = await bench.look_up("party_create", "create-3", **NEW)

    output = await bench.carry_out("party_create", preview, key="create-3", **NEW)
    await bench.carry_out("party_create", preview, key="create-4", **NEW)
    found = await bench.look_up("party_create", "create-3", **NEW)

    assert nothing == NotFoundYet()
    assert found == Found(output=output)


async def test_a_party_whose_answer_was_lost_is_found_also_when_somebody_archived_it(
    bench: Bench, clerk: Person
) -> None:
    preview = await bench.foresee("party_create", **NEW)
    order = bench.order("party_create", preview, key="create-5", **NEW)
    await bench.run_meddled(order, loses_answers=True)
    (party,) = clerk.ids("party.party", ["identifiers.code", "=", "hub:create-5"])
    clerk.write("party.party", party, active=False)

    found = await bench.look_up("party_create", "create-5", **NEW)

    assert isinstance(found, Found)
    assert found.output["id"] == party


async def test_the_same_creation_is_not_done_twice_even_if_it_is_sent_twice(bench: Bench, clerk: Person) -> None:
    preview = await bench.foresee("party_create", **NEW)
    order = bench.order("party_create", preview, key="create-6", **NEW)
    await bench.run(order)

    again = await bench.run(order)

    assert isinstance(again, Failed)
    assert again.code == "upstream_refused"
    assert len(clerk.ids("party.party", ["identifiers.code", "=", "hub:create-6"])) == 1


async def test_two_parties_with_one_reference_stay_in_doubt(bench: Bench, clerk: Person) -> None:
    for name in ("One", "Other"):
        reference = [["create", [{"type": None, "code": "hub:create-7"}]]]
        clerk.create("party.party", name=name, identifiers=reference)

    found = await bench.look_up("party_create", "create-7", **NEW)

    assert isinstance(found, Failed)
    assert found.code == "upstream_unknown"


async def test_undoing_a_creation_archives_the_party(bench: Bench) -> None:
    preview = await bench.foresee("party_create", **NEW)
    output = await bench.carry_out("party_create", preview, key="create-8", **NEW)
    undo = bench.connector.spec.operation("party_create").compensation
    assert undo is not None
    arguments = undo.arguments_for({"input": NEW, "output": output, "before": []})

    await bench.carry_out(undo.tool, await bench.foresee(undo.tool, **arguments), **arguments)

    assert (await bench.answer("party_get", party_id=output["id"]))["is_active"] is False


@pytest.mark.parametrize("given", ["+3726400999", "+372 640 0999"])
async def test_a_phone_number_is_foreseen_in_the_form_tryton_gives_it(bench: Bench, clerk: Person, given: str) -> None:
    contact = clerk.ids("party.contact_mechanism", ["type", "=", "phone"])[0]
    arguments: dict[str, Json] = {"contact_id": contact, "value": given}

    preview = await bench.foresee("party_contact_update", **arguments)
    output = await bench.carry_out("party_contact_update", preview, **arguments)

    assert (preview.changes[0].after or {})["value"] == "+372 640 0999"
    assert output["value"] == "+372 640 0999"


async def test_what_tryton_would_not_take_for_a_phone_number_is_refused_in_the_preview(
    bench: Bench, clerk: Person
) -> None:
    contact = clerk.ids("party.contact_mechanism", ["type", "=", "phone"])[0]

    result = await bench.preview("party_contact_update", contact_id=contact, value="next to the bakery")

    assert isinstance(result, Failed)
    assert result.code == "upstream_refused"


async def test_the_guard_of_a_contact_is_the_contact_not_its_party(bench: Bench, office: Office, clerk: Person) -> None:
    party = office.customer()
    contact = office.first_of("party.party", party, "contact_mechanisms")
    arguments: dict[str, Json] = {"contact_id": contact, "value": "b@umber.example"}
    preview = await bench.foresee("party_contact_update", **arguments)
    clerk.write("party.party", party, name="Umber & Sons")

    output = await bench.carry_out("party_contact_update", preview, **arguments)

    assert output["value"] == "b@umber.example"


async def test_a_payment_term_that_is_not_there_is_refused_although_tryton_would_keep_it(
    bench: Bench, office: Office, clerk: Person
) -> None:
    party = office.customer()

    result = await bench.preview("party_payment_term_set", party_id=party, payment_term_id=999)
    clerk.write("party.party", party, customer_payment_term=999)

    assert isinstance(result, Failed)
    assert result.code == "upstream_not_found"
    assert clerk.read("party.party", party, "customer_payment_term")["customer_payment_term"] == 999


async def test_a_payment_term_can_be_taken_away_and_given_back(bench: Bench, office: Office, clerk: Person) -> None:
    party = office.customer()
    clerk.write("party.party", party, customer_payment_term=4)
    taking: dict[str, Json] = {"party_id": party, "payment_term_id": 0}
    preview = await bench.foresee("party_payment_term_set", **taking)

    output = await bench.carry_out("party_payment_term_set", preview, **taking)

    assert (preview.changes[0].before or {})["payment_term"] == "Net 30 days"
    assert output["payment_term_id"] == 0


async def test_the_payment_term_of_an_archived_party_is_refused_in_the_preview(bench: Bench, office: Office) -> None:
    party = office.archived_customer()

    result = await bench.preview("party_payment_term_set", party_id=party, payment_term_id=4)

    assert isinstance(result, Failed)
    assert result.code == "upstream_refused"


async def test_the_payment_terms_on_offer_are_listed(bench: Bench) -> None:
    terms = (await bench.answer("payment_term_find"))["payment_terms"]

    assert {"id": 4, "name": "Net 30 days"} in terms


async def test_products_are_found_and_read(bench: Bench) -> None:
    found = await bench.answer("product_find", text="desk")

    assert [(product["code"], product["list_price"]) for product in found["products"]] == [
        ("OAK-1", "480.00"),
        ("LMP-3", "39.90"),
    ]
    assert await bench.answer("product_get", product_id=found["products"][0]["id"]) == found["products"][0]
