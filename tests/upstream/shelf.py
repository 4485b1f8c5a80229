"""A connector for the test upstream made of resources alone: what `resource()` derives, for the contract kit to try."""

from typing import Annotated

from pydantic import BaseModel, Field

from connectors.sdk import Bearer, Connector, SafeRule


class Item(BaseModel):
    """Something in stock."""

    id: Annotated[int, Field(ge=1, le=2**31, description="The item's number")]
    name: Annotated[str, Field(max_length=80)]
    quantity: int
    version: int


class Ticket(BaseModel):
    """A request for help."""

    id: int
    title: str
    reference: str


connector = Connector("shelf", version="1.0.0", description="The shelf.", auth=Bearer(), safe=[SafeRule(method="GET")])
connector.resource(
    "item",
    Item,
    path="/items",
    key="id",
    guard="version",
    writable={"quantity", "name"},
    searchable={"name"},
    items="/items",
)
connector.resource(
    "ticket",
    Ticket,
    path="/tickets",
    key="id",
    writable={"title"},
    external_id="reference",
    items="/tickets",
    verbs={"create"},
)
