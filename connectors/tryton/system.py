"""How Tryton is spoken to: where, signed in how, what changes nothing, and what its errors prove."""

from typing import Any

from connectors.sdk import (
    AuthSpec,
    Conflict,
    Connector,
    ConnectorError,
    JsonRpc,
    Refused,
    SafeRule,
    Unknown,
)
from connectors.tryton.values import decoded

Json = Any
"""Any JSON value."""

_READS = ("read", "search", "search_count", "search_read", "fields_get")
_KEEP_NOTHING = (
    "model.party.contact_mechanism.on_change_value",  # what Tryton would make of a value
    "model.res.user.get_preferences",  # among them the company in which the account works
    "model.sale.sale.default_get",  # what a new sale starts with
    "model.sale.sale.on_change_party",  # the addresses and the payment term a customer brings
    "model.sale.sale.on_change_lines",  # the totals and taxes of lines
    "model.sale.line.on_change_product",  # the price and the taxes of a product for this customer
    "model.sale.line.on_change_with_amount",
    "model.account.invoice.default_get",  # what a new invoice starts with
    "model.account.invoice.on_change_type",  # the journal, and the account, address and payment term of a customer
    "model.account.invoice.on_change_lines",
    "model.account.invoice.line.on_change_product",
    "model.account.invoice.line.on_change_with_amount",
)


def error_of(error: Json) -> ConnectorError:
    """Return what an error in an answer proves.

    Tryton raises its own errors inside the transaction, which it then rolls back: they are definite. Anything else is a
    failure of the server, which may strike after the transaction was committed, and comes with a traceback that is
    nobody's business.
    """
    match error:
        case ["ConcurrencyException", _]:
            return Conflict("Somebody changed the record in Tryton first.")
        case ["UserWarning", [_, str(message), *_]]:
            return Refused(f"Tryton asks a person to confirm, and this tool cannot: {message}")
        case ["UserError", [str(message), *_]]:
            return Refused(f"Tryton refused: {message}")
        case ["LoginException", _]:
            return Refused("Tryton asks to sign in again.")
        case _:
            return Unknown("Tryton failed while answering; its log says why.")


connector = Connector(
    "tryton",
    version="1.0.0",
    title="Tryton",
    description="Parties, products, sales and customer invoices of a Tryton 8 ERP.",
    entry="connectors.tryton:connector",
    auth=AuthSpec(
        kind="session_login",
        secret_fields=("login", "password"),
        parameters={
            "path": "/rpc/",
            "body": '{"id": 0, "method": "common.db.login", "params": ["{login}", {"password": "{password}"}]}',
            "credentials": "{login}:{/result/0}:{/result/1}",
            "scheme": "Session",
        },
    ),
    safe=[SafeRule(method="POST", path="/rpc/", operation=f"model.*.{name}") for name in _READS]
    + [SafeRule(method="POST", path="/rpc/", operation=name) for name in _KEEP_NOTHING]
    # It carries a call out and rolls it back: harmless, but for previews alone.
    + [SafeRule(method="POST", path="/rpc/", operation="model.hub.trial.run", preview_only=True)],
    rpc=JsonRpc(path="/rpc/", version=None, error=error_of, decode=decoded),
    unprocessed=frozenset({401, 429}),  # a session that has ended, too many logins: turned away at the door
)
