"""A sale with long terms and lines that moved, as the connector of an ERP gives it: for comparisons in full."""

from connectors.sdk.preview import Change
from connectors.sdk.vocabulary import Effect
from hub.web.field_words import FieldWords

_CLAUSE = (
    "The goods stay ours until they are paid in full. The customer may resell them in the ordinary way of business. "
)
LONG = Change(
    target="sale.sale/12",
    effect=Effect.UPDATE,
    before={
        "currency": "EUR",
        "delivery_date": "2026-12-01",
        "confirmed_at": "2026-11-20T09:30:00Z",
        "terms": f"{_CLAUSE * 3}Payment is due within 30 days.",
        "lines": [
            {"id": 1, "product": "Desk", "quantity": 2, "unit_price_minor": 19900},
            {"id": 2, "product": "Chair", "quantity": 4, "unit_price_minor": 8900},
        ],
    },
    after={
        "currency": "EUR",
        "delivery_date": "2026-12-08",
        "confirmed_at": "2026-11-20T09:30:00Z",
        "terms": f"{_CLAUSE * 3}Payment is due within 60 days.",
        "lines": [
            {"id": 2, "product": "Chair", "quantity": 6, "unit_price_minor": 8900},
            {"id": 3, "product": "Lamp", "quantity": 1, "unit_price_minor": 4500},
        ],
    },
)
SALE_WORDS = FieldWords(titles={"terms": "Terms of sale", "lines": "Line", "lines.unit_price_minor": "Price of one"})
