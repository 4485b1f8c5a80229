"""The connector for Tryton 8: parties, products, sales and customer invoices, by its JSON-RPC."""

from connectors.tryton import contacts, invoices, parties, payment_terms, products, sales, sales_buttons
from connectors.tryton.system import connector

__all__ = ["connector", "contacts", "invoices", "parties", "payment_terms", "products", "sales", "sales_buttons"]
