"""A connector for the notes of the test upstream whose writes are told to somebody: what happens beside a change."""

import re
from typing import Annotated, Final

from pydantic import BaseModel, Field

from connectors.sdk import AuthSpec, Blast, Connector, Context, Effect, Fidelity, Preview, SafeRule, SideEffect, Tier

Text = Annotated[str, Field(min_length=1, max_length=80)]
ATTACHED: Final = "what is attached"
NOBODY: Final = "nobody"
UNRECORDED: Final = "not on record"
"""What a text says of a letter that leaves no record."""
PRIVATE: Final = "between us"
"""What a text says of itself that no page is to show."""
STAMPED: Final = "stamped for {} cents"
"""What a text says of a letter that costs money."""

connector = Connector(
    "mailing",
    version="1.0.0",
    description="Notes of the test upstream, of which somebody is told.",
    auth=AuthSpec(kind="bearer", secret_fields=("token",)),
    safe=[SafeRule(method="GET")],
)


class Note(BaseModel):
    """A line of text."""

    id: int
    text: str


@connector.write(
    "letter_send", effect=Effect.SEND, tier=Tier.HIGH, examples=[{"text": "hello", "recipient": "ann@example.org"}]
)
async def letter_send(context: Context, text: Text, recipient: Text) -> Note:
    """Post a note and send a letter about it."""
    del recipient
    return await context.post("/notes", {"text": text}, Note)


@letter_send.preview
async def _(context: Context, text: Text, recipient: Text) -> Preview:
    del context
    told = [] if recipient == NOBODY else [SideEffect(kind="letter", recipient=recipient)]
    unseen = [ATTACHED] if "attached" in text else []
    paid = re.search(STAMPED.format("([0-9]+)"), text)
    if UNRECORDED in text:
        return Preview(changes=(), side_effects=tuple(told), fidelity=Fidelity.SIMULATED, blast=Blast(parties=3))
    blast = Blast(money_minor=int(paid[1]), currency="EUR") if paid else Blast()
    hidden = ["text"] if PRIVATE in text else []
    return Preview.send(
        "notes",
        {"text": text},
        unknown=["id"],
        sensitive=hidden,
        side_effects=told,
        blast=blast,
        not_covered=unseen,
    )
