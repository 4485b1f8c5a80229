"""Owns what a colleague puts on the desk before something is tried: fresh records, made by hand in a real Tryton."""

from dataclasses import dataclass
from typing import Any

from connectors.tryton_server.person import Person

Json = Any
"""Any JSON value, in Tryton's spelling."""


@dataclass(frozen=True, slots=True)
class Office:
    """What the clerk puts on the desk for one test."""

    clerk: Person

    def customer(self, name: str = "Umber Paints", email: str = "a@umber.example") -> int:
        """Return a new customer with one address and one e-mail address."""
        return self.clerk.create(
            "party.party",
            name=name,
            addresses=[["create", [{"city": "Delft"}]]],
            contact_mechanisms=[["create", [{"type": "email", "value": email}]]],
        )

    def archived_customer(self) -> int:
        """Return a customer that has been archived."""
        party = self.customer()
        self.clerk.write("party.party", party, active=False)
        return party

    def contact(self) -> int:
        """Return the e-mail address of a new customer."""
        return self.first_of("party.party", self.customer(), "contact_mechanisms")

    def archived_contact(self) -> int:
        """Return an e-mail address that has been archived."""
        contact = self.contact()
        self.clerk.write("party.contact_mechanism", contact, active=False)
        return contact

    def address(self) -> int:
        """Return the address of a new customer."""
        return self.first_of("party.party", self.customer(), "addresses")

    def archived_address(self) -> int:
        """Return an address that has been archived."""
        address = self.address()
        self.clerk.write("party.address", address, active=False)
        return address

    def sale(self, *buttons: str) -> int:
        """Return a new sale of two desks, after pressing `buttons`."""
        party = self.customer()
        address = self.first_of("party.party", party, "addresses")
        product = self.clerk.ids("product.product", ["code", "=", "OAK-1"])[0]
        unit = self.clerk.ids("product.uom", ["name", "=", "Unit"])[0]
        line = {"product": product, "quantity": 2.0, "unit": unit, "unit_price": decimal("480.0000")}
        sale = self.clerk.create(
            "sale.sale",
            party=party,
            invoice_party=party,
            shipment_party=party,
            company=1,
            currency=1,
            invoice_address=address,
            shipment_address=address,
            lines=[["create", [line]]],
        )
        for button in buttons:
            self.clerk.press("sale.sale", sale, button)
        return sale

    def product(self) -> int:
        """Return a new product for sale, a variant of a template of its own that has the list price."""
        unit = self.clerk.ids("product.uom", ["name", "=", "Unit"])[0]
        made = self.clerk.create(
            "product.template",
            name="Cork board",
            type="goods",
            default_uom=unit,
            salable=True,
            sale_uom=unit,
            list_price=decimal("480.00"),
            products=[["create", [{}]]],
        )
        return self.first_of("product.template", made, "products")

    def price(self, product: int, list_price: str) -> None:
        """Give the template of a product another list price."""
        template = self.clerk.read("product.product", product, "template")["template"]
        self.clerk.write("product.template", template, list_price=decimal(list_price))

    def invoice(self) -> int:
        """Return a draft customer invoice."""
        seeded = self.clerk.ids("account.invoice", ["state", "=", "draft"], ["invoice_date", "=", None])
        return int(self.clerk.call("model.account.invoice.copy", [seeded[0]])[0])

    def cancelled_invoice(self) -> int:
        """Return a customer invoice that was cancelled as a draft."""
        invoice = self.invoice()
        self.clerk.press("account.invoice", invoice, "cancel")
        return invoice

    def suppliers_invoice(self) -> int:
        """Return a draft supplier invoice without lines."""
        party = self.customer()
        return self.clerk.create(
            "account.invoice",
            type="in",
            party=party,
            invoice_address=self.first_of("party.party", party, "addresses"),
            company=1,
            currency=1,
            account=self.clerk.ids("account.account", ["type.payable", "=", True], ["closed", "!=", True])[0],
            journal=self.clerk.ids("account.journal", ["type", "=", "expense"])[0],
        )

    def first_of(self, model: str, record: int, relation: str) -> int:
        """Return the first of the records that `record` points to."""
        return int(self.clerk.read(model, record, relation)[relation][0])


def decimal(text: str) -> Json:
    """Return a decimal number as Tryton spells it."""
    return {"__class__": "Decimal", "decimal": text}
