"""Fills an empty Tryton with a small company: run by the Tryton environment's own Python, never imported by ours.

Usage: seed.py CONFIG DATABASE PASSWORDS, where PASSWORDS is a JSON file of {login: password}.
Prints one line per step, which the caller shows as progress.
"""

import json
import os
import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from proteus import Model, Wizard, config

CUSTOMERS = (
    ("Aurora Bakery", "12 Mill Lane", "Tallinn"),
    ("Bluebird Cycles", "3 Harbour Street", "Bergen"),
    ("Cedar & Sons", "88 Timber Road", "Riga"),
    ("Delta Printworks", "5 Type Alley", "Leipzig"),
    ("Elm Street Clinic", "41 Elm Street", "Cork"),
    ("Foxglove Gardens", "7 Orchard Way", "Utrecht"),
    ("Granite Climbing", "19 Quarry Hill", "Innsbruck"),
    ("Heron Boats", "2 Quay West", "Galway"),
    ("Indigo Textiles", "63 Dye House Row", "Porto"),
    ("Juniper Hotel", "1 Market Square", "Ghent"),
    ("Kestrel Optics", "27 Lens Court", "Jena"),
    ("Lumen Lighting", "14 Arc Avenue", "Turku"),
    ("Maple School", "9 Chalk Street", "Aarhus"),
    ("Northwind Ferries", "30 Pier Road", "Oban"),
    ("Osprey Couriers", "55 Dispatch Lane", "Basel"),
    ("Pebble Pottery", "4 Kiln Yard", "Faenza"),
    ("Quill Books", "21 Page Street", "Bath"),
    ("Rowan Dairy", "8 Meadow Farm", "Gouda"),
    ("Saffron Kitchen", "16 Spice Walk", "Lyon"),
    ("Tamarack Lodge", "73 Forest Drive", "Bled"),
)
WITHOUT_PAYMENT_TERM = ("Elm Street Clinic", "Juniper Hotel", "Maple School", "Tamarack Lodge")
PRODUCTS = (
    ("Oak desk", "OAK-1", "goods", "480.00"),
    ("Swivel chair", "CHR-2", "goods", "215.50"),
    ("Desk lamp", "LMP-3", "goods", "39.90"),
    ("Notebook A5", "NTB-4", "goods", "4.25"),
    ("Filing cabinet", "CAB-5", "goods", "129.99"),
    ("Assembly on site", "ASM-6", "service", "60.00"),
)
PAYMENT_TERMS = ("Net 10 days", "Net 15 days", "Net 30 days", "Net 60 days")  # Tryton brings them
SALES = (
    # customer, lines of (product, quantity), how far it goes
    (0, ((0, 2), (1, 4)), "draft"),
    (1, ((2, 10),), "draft"),
    (2, ((3, 200),), "draft"),
    (3, ((4, 3), (5, 2)), "draft"),
    (4, ((0, 1), (2, 2)), "quotation"),
    (5, ((1, 6),), "quotation"),
    (6, ((5, 8),), "quotation"),
    (7, ((3, 50), (4, 1)), "quotation"),
    (8, ((0, 4),), "confirmed"),
    (9, ((1, 12),), "confirmed"),
    (10, ((2, 5), (5, 1)), "processing"),
    (11, ((4, 2),), "processing"),
    (12, ((3, 500),), "processing"),
    (13, ((0, 1),), "cancelled"),
)
INVOICES = (
    # customer, lines of (product, quantity), whether it has all that posting needs
    (14, ((5, 3),), True),
    (15, ((2, 7), (3, 30)), True),
    (16, ((4, 1),), True),
    (17, ((1, 1),), False),
)
GROUPS = {
    "hub": ("Sales", "Accounting", "Party Administration", "Product Administration"),
    "clerk": ("Sales", "Sales Administrator", "Accounting", "Party Administration", "Product Administration"),
}


def step(sentence):
    print(sentence, flush=True)


def only(model, *clauses):
    (record,) = Model.get(model).find(list(clauses))
    return record


def make_company(proteus):
    step("Tryton: currency and company")
    currency = Model.get("currency.currency")(name="Euro", symbol="€", code="EUR", numeric_code="978")
    currency.digits, currency.rounding = 2, Decimal("0.01")
    rate = currency.rates.new()
    rate.date, rate.rate = date(2020, 1, 1), Decimal(1)
    currency.save()
    owner = Model.get("party.party")(name="Larch Office Supplies")
    owner.save()
    wizard = Wizard("company.company.config")
    wizard.execute("company")
    wizard.form.party, wizard.form.currency = owner, currency
    wizard.execute("add")
    company = only("company.company")
    proteus._context = Model.get("res.user").get_preferences(True, {})
    return company


def account_of(kind, company):
    is_usable = [("type." + kind, "=", True), ("company", "=", company.id), ("closed", "!=", True)]
    found = Model.get("account.account").find(is_usable, order=[("code", "ASC")], limit=1)
    return found[0]


def make_chart(company):
    step("Tryton: chart of accounts")
    data = Model.get("ir.model.data")
    wizard = Wizard("account.create_chart")
    wizard.execute("account")
    wizard.form.account_template = Model.get("account.account.template")(
        data.get_id("account.account_template_root_en", {})
    )
    wizard.form.company = company
    wizard.execute("create_account")
    wizard.form.account_receivable = account_of("receivable", company)
    wizard.form.account_payable = account_of("payable", company)
    wizard.execute("create_properties")


def make_fiscal_year(company, year):
    step(f"Tryton: fiscal year {year}")
    sequence = Model.get("ir.sequence.strict")

    def sequence_for(kind):
        made = sequence(name=f"{kind} {year}", sequence_type=only("ir.sequence.type", ("name", "=", kind)))
        made.company, made.prefix, made.padding = company, f"{year}-", 4
        made.save()
        return made

    fiscal_year = Model.get("account.fiscalyear")(name=str(year), company=company)
    fiscal_year.start_date, fiscal_year.end_date = date(year, 1, 1), date(year, 12, 31)
    fiscal_year.move_sequence = sequence_for("Account Move")
    numbers = sequence_for("Invoice")
    (sequences,) = fiscal_year.invoice_sequences
    sequences.out_invoice_sequence = sequences.in_invoice_sequence = numbers
    sequences.out_credit_note_sequence = sequences.in_credit_note_sequence = numbers
    fiscal_year.save()
    fiscal_year.click("create_period")


def make_tax(company):
    account = only("account.account", ("code", "=", "6.3.6"), ("company", "=", company.id))
    tax = Model.get("account.tax")(name="VAT 20%", description="VAT 20%", type="percentage", rate=Decimal("0.2"))
    tax.invoice_account = tax.credit_note_account = account
    tax.save()
    return tax


def make_products(company):
    step("Tryton: products")
    category = Model.get("product.category")(name="Office", accounting=True)
    category.account_expense = account_of("expense", company)
    category.account_revenue = account_of("revenue", company)
    category.customer_taxes.append(make_tax(company))
    category.save()
    unit = only("product.uom", ("name", "=", "Unit"))
    for name, code, kind, price in PRODUCTS:
        template = Model.get("product.template")(name=name, code=code, type=kind, default_uom=unit, salable=True)
        template.list_price, template.account_category = Decimal(price), category
        template.save()
    return [only("product.product", ("template.code", "=", code)) for _, code, _, _ in PRODUCTS]


def make_customers(terms):
    step(f"Tryton: {len(CUSTOMERS)} customers")
    customers = []
    for place, (name, street, city) in enumerate(CUSTOMERS):
        customer = Model.get("party.party")(name=name)
        if name not in WITHOUT_PAYMENT_TERM:
            customer.customer_payment_term = terms[place % len(terms)]
        (address,) = customer.addresses or [customer.addresses.new()]
        address.street, address.city = street, city
        host = name.lower().replace(" & ", "-").replace(" ", "-") + ".example"
        customer.contact_mechanisms.new(type="email", value="office@" + host)
        customer.contact_mechanisms.new(type="phone", value=f"+372 640 01{place:02}")
        customer.save()
        customers.append(customer)
    return customers


def make_sales(customers, products, term):
    step(f"Tryton: {len(SALES)} sales")
    buttons = {
        "draft": (),
        "quotation": ("quote",),
        "confirmed": ("quote", "confirm"),
        "processing": ("quote", "confirm", "process"),
        "cancelled": ("cancel",),
    }
    for customer, lines, state in SALES:
        sale = Model.get("sale.sale")(party=customers[customer], invoice_method="order", payment_term=term)
        for product, quantity in lines:
            line = sale.lines.new()
            line.product, line.quantity = products[product], quantity
        sale.save()
        for button in buttons[state]:
            sale.click(button)


def make_invoices(customers, products, term):
    step(f"Tryton: {len(INVOICES)} invoices")
    for customer, lines, is_ready in INVOICES:
        invoice = Model.get("account.invoice")(type="out", party=customers[customer], payment_term=term)
        for product, quantity in lines:
            line = invoice.lines.new()
            line.product, line.quantity = products[product], quantity
            line.unit_price = Decimal(PRODUCTS[product][3])
        if not is_ready:
            invoice.invoice_date = date.today() + timedelta(days=20)  # Tryton warns about a date in the future
        invoice.save()


def make_users(company, passwords):
    step("Tryton: users")
    for login, groups in GROUPS.items():
        user = Model.get("res.user")(name=login.capitalize(), login=login, password=passwords[login])
        user.companies.append(Model.get("company.company")(company.id))
        user.company = company
        for group in groups:
            user.groups.append(only("res.group", ("name", "=", group)))
        user.save()


def main():
    configuration, database, passwords = sys.argv[1:]
    os.environ["TRYTOND_CONFIG"] = configuration  # what trytond imports first reads it from here
    proteus = config.set_trytond(database, config_file=configuration)
    company = make_company(proteus)
    make_chart(company)
    this_year = date.today().year
    for year in (this_year, this_year + 1):
        make_fiscal_year(company, year)
    products = make_products(company)
    terms = [only("account.invoice.payment_term", ("name", "=", name)) for name in PAYMENT_TERMS]
    customers = make_customers(terms)
    make_sales(customers, products, terms[2])
    make_invoices(customers, products, terms[2])
    make_users(company, json.loads(Path(passwords).read_text()))


main()
