"""The connector for Tryton 8: what sales and accounts receivable need of it, by its JSON-RPC."""

from connectors.tryton import (
    addresses,
    contact_lists,
    contacts,
    invoices,
    invoices_cancel,
    invoices_post,
    parties,
    payment_terms,
    products,
    products_price,
    receivables,
    sales,
    sales_buttons,
    sales_create,
    sales_lines,
    shipments,
)
from connectors.tryton.system import connector

__all__ = [
    "addresses",
    "connector",
    "contact_lists",
    "contacts",
    "invoices",
    "invoices_cancel",
    "invoices_post",
    "parties",
    "payment_terms",
    "products",
    "products_price",
    "receivables",
    "sales",
    "sales_buttons",
    "sales_create",
    "sales_lines",
    "shipments",
]
