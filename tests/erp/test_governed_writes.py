"""Writes of an agent that go the whole governed way into a real ERP; effects are counted there, never in the hub."""

import pytest
from erp.company import Company, Cut

from connectors.tryton_server import Person
from hub.core.errors import Forbidden
from hub.invocations.states import State

pytestmark = [pytest.mark.anyio, pytest.mark.tryton]


async def test_a_read_executes_at_once(company: Company) -> None:
    answer = await company.call("party_get", party_id=3)

    assert answer.state is State.SUCCEEDED
    assert answer.output["name"] == "Bluebird Cycles"


async def test_a_medium_write_commits_by_itself_and_is_verified(company: Company, clerk: Person) -> None:
    contact = company.office.contact()

    answer = await company.call("party_contact_update", contact_id=contact, value="b@umber.example")

    assert answer.state is State.VERIFIED
    assert clerk.read("party.contact_mechanism", contact, "value")["value"] == "b@umber.example"


@pytest.mark.parametrize(("tool", "buttons"), [("sale_quote", ()), ("sale_confirm", ("quote",)), ("sale_cancel", ())])
async def test_a_high_write_waits_for_somebody_else_and_is_verified(
    company: Company, clerk: Person, tool: str, buttons: tuple[str, ...]
) -> None:
    sale = company.office.sale(*buttons)
    state = clerk.read("sale.sale", sale, "state")

    asked = await company.call(tool, sale_id=sale)
    untouched = clerk.read("sale.sale", sale, "state")
    with pytest.raises(Forbidden):
        await company.world.vote(asked, company.world.rita)
    done = await company.approved(asked)

    assert asked.state is State.AWAITING_APPROVAL
    assert untouched == state
    assert done.state is State.VERIFIED
    assert clerk.read("sale.sale", sale, "state") != state


async def test_an_invoice_is_posted_when_two_groups_have_agreed(company: Company, clerk: Person) -> None:
    invoice = company.office.invoice()

    asked = await company.call("invoice_post", invoice_id=invoice)
    half = await company.world.vote(asked, company.world.ann)
    whole = await company.world.vote(half, company.world.carl)
    done = await company.carried_on(whole)

    assert half.state is State.AWAITING_APPROVAL
    assert done.state is State.VERIFIED
    assert clerk.read("account.invoice", invoice, "state")["state"] == "posted"


async def test_a_creation_is_asked_about_and_verified(company: Company, clerk: Person) -> None:
    before = len(clerk.ids("party.party"))

    asked = await company.call("party_create", name="Vermilion Dyes", phone="+3726400777")
    done = await company.approved(asked)

    assert asked.state is State.AWAITING_APPROVAL
    assert done.state is State.VERIFIED
    assert len(clerk.ids("party.party")) == before + 1


async def test_a_record_changed_while_people_decide_gets_a_new_preview(company: Company, clerk: Person) -> None:
    party = company.office.customer()
    asked = await company.call("party_payment_term_set", party_id=party, payment_term_id=4)
    clerk.write("party.party", party, customer_payment_term=5)

    again = await company.approved(asked)

    assert again.state is State.AWAITING_APPROVAL
    assert again.revision == asked.revision + 1
    assert again.preview is not None
    assert (again.preview.preview.changes[0].before or {})["payment_term_id"] == 5
    assert clerk.read("party.party", party, "customer_payment_term")["customer_payment_term"] == 5


async def test_a_line_changed_while_people_decide_gets_a_new_preview_too(company: Company, clerk: Person) -> None:
    sale = company.office.sale()
    asked = await company.call("sale_quote", sale_id=sale)
    clerk.write("sale.line", company.office.first_of("sale.sale", sale, "lines"), quantity=200.0)

    again = await company.approved(asked)

    assert again.state is State.AWAITING_APPROVAL
    assert again.preview is not None
    assert again.preview.preview.blast.money_minor == 9_600_000
    assert clerk.read("sale.sale", sale, "state")["state"] == "draft"


async def test_a_line_that_somebody_else_changes_while_people_decide_is_stale_and_previewed_anew(
    company: Company, clerk: Person
) -> None:
    sale = company.office.sale()
    line = company.office.first_of("sale.sale", sale, "lines")
    asked = await company.call("sale_line_update", sale_id=sale, line_id=line, quantity="3")
    clerk.write("sale.line", line, quantity=200.0)  # behind the back of the sale, whose own version stays

    again = await company.approved(asked)

    assert asked.preview is not None
    strong = {guard.target for guard in asked.preview.preview.preconditions if guard.strength == "strong"}
    assert {f"sale.sale/{sale}", f"sale.line/{line}"} <= strong
    assert again.state is State.AWAITING_APPROVAL
    assert again.revision == asked.revision + 1
    assert again.preview is not None
    assert (again.preview.preview.changes[0].before or {})["quantity"] == "200"
    assert clerk.read("sale.line", line, "quantity")["quantity"] == 200.0


@pytest.mark.parametrize("cut", Cut)
async def test_a_lost_contact_update_has_one_effect_and_a_true_end(company: Company, clerk: Person, cut: Cut) -> None:
    contact = company.office.contact()
    company.wire.cut(cut, method="model.party.contact_mechanism.write")

    lost = await company.call("party_contact_update", contact_id=contact, value="b@umber.example")
    done = await company.carried_on(lost)

    assert done.state is State.VERIFIED
    assert clerk.read("party.contact_mechanism", contact, "value")["value"] == "b@umber.example"


@pytest.mark.parametrize("cut", Cut)
async def test_a_lost_button_has_one_effect_and_a_true_end(company: Company, clerk: Person, cut: Cut) -> None:
    sale = company.office.sale("quote")
    asked = await company.call("sale_confirm", sale_id=sale)
    company.wire.cut(cut, method="model.sale.sale.confirm")

    done = await company.approved(asked)

    assert done.state is State.VERIFIED
    assert len(clerk.read("sale.sale", sale, "invoices")["invoices"]) == 1


@pytest.mark.parametrize("cut", Cut)
async def test_a_lost_posting_has_one_effect_and_a_true_end(company: Company, clerk: Person, cut: Cut) -> None:
    invoice = company.office.invoice()
    entries = len(clerk.ids("account.move"))
    asked = await company.call("invoice_post", invoice_id=invoice)
    company.wire.cut(cut, method="model.account.invoice.post")

    done = await company.approved(asked)

    assert done.state is State.VERIFIED
    assert len(clerk.ids("account.move")) == entries + 1


async def test_a_creation_whose_answer_is_lost_is_found_by_its_reference(company: Company, clerk: Person) -> None:
    before = len(clerk.ids("party.party"))
    asked = await company.call("party_create", name="Vermilion Dyes")
    company.wire.cut(Cut.ANSWER, method="model.party.party.create")

    done = await company.approved(asked)

    assert done.state is State.VERIFIED
    assert done.output["name"] == "Vermilion Dyes"
    assert len(clerk.ids("party.party")) == before + 1


async def test_a_creation_that_never_arrived_is_not_sent_again_and_stays_in_doubt(
    company: Company, clerk: Person
) -> None:
    before = len(clerk.ids("party.party"))
    asked = await company.call("party_create", name="Vermilion Dyes")
    company.wire.cut(Cut.REQUEST, method="model.party.party.create")

    waiting = await company.approved(asked)

    assert waiting.state is State.IN_DOUBT
    assert len(clerk.ids("party.party")) == before


async def test_while_tryton_is_down_an_approved_write_waits_and_then_goes_through(
    company: Company, clerk: Person
) -> None:
    sale = company.office.sale("quote")
    asked = await company.call("sale_confirm", sale_id=sale)
    company.server.stop()

    waiting = await company.approved(asked)
    company.server.start()
    done = await company.carried_on(waiting)

    assert waiting.state is State.APPROVED
    assert done.state is State.VERIFIED
    assert len(clerk.read("sale.sale", sale, "invoices")["invoices"]) == 1
