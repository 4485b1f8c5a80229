"""The contract kit on a service desk: what the overlay promises of the imported API is kept."""

from collections.abc import Mapping
from typing import Any

import pytest
from ticketing_desk import TOKEN, Desk, open_desk

from connectors.sdk.harness import Case, Contents
from connectors.ticketing import ticketing
from hub.invocations.proving.session import check_live
from hub.registry import Badge, BadgeVerdict, Promise

pytestmark = pytest.mark.anyio

Json = Any


class DeskHarness:
    """A desk to try the connector on: its tickets and comments, what it counts, and edits by hand."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.system, self.base_url = "a service desk in this process", desk.url
        self.secret: Mapping[str, str] = {"token": TOKEN}
        number = desk.put(title="No coffee", priority="low")
        self.cases = [
            Case(operation="find_tickets", arguments={"words": "coffee"}),
            Case(operation="get_ticket", arguments={"number": number}),
            self.write("create_ticket", title="No tea", priority="urgent"),
            self.write("update_ticket", edits=number, number=number, priority="urgent"),
            self.write("add_comment", number=number, text="On it."),
            self.write("cancel_ticket", edits=number, number=number),
        ]

    async def contents(self) -> Contents:
        """Return every ticket and every comment."""
        tickets = {f"ticket/{number}": dict(ticket) for number, ticket in self.desk.tickets.items()}
        return tickets | {f"comment/{at}": {"text": text} for at, text in enumerate(self.desk.comments)}

    async def count(self) -> int:
        """Return how many effects there were so far."""
        return self.desk.effects

    def write(self, operation: str, *, edits: str | None = None, **arguments: Json) -> Case:
        """Return the case of a write; `edits` is the ticket that somebody else can change."""

        async def edit() -> None:
            assert edits is not None
            self.desk.edit(edits, title="No coffee at all")

        return Case(operation=operation, arguments=arguments, effects=self.count, edit=None if edits is None else edit)


def passed(badge: Badge, operation: str) -> set[Promise]:
    return {line.promise for line in badge.of(operation) if line.verdict is BadgeVerdict.PASSED}


@pytest.mark.more
async def test_every_tool_of_the_service_desk_keeps_what_its_overlay_promises() -> None:
    async with open_desk() as desk:
        badge = await check_live(ticketing(), DeskHarness(desk))

    assert [line for line in badge.lines if line.verdict is BadgeVerdict.FAILED] == []
    assert passed(badge, "update_ticket") == {*Promise}
    assert passed(badge, "cancel_ticket") == {*Promise} - {Promise.UNDO}
    assert {Promise.PREDICTION, Promise.ONCE, Promise.UNDO} <= passed(badge, "create_ticket")
    assert not {Promise.ONCE, Promise.UNDO} & passed(badge, "add_comment")
