"""The harness of CAP: all it holds, what took effect, a colleague's edits, and the connector that its owner exposes."""

import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from cap.server import HUB, Cap, install, running
from connectors.odata import Importing, compile_metadata, owners_words, read_metadata
from connectors.openapi import Compilation, read_document
from connectors.sdk.harness import Case, Contents, SystemAnswer

Json = Any

HERE = Path(__file__).parent
HOME = HERE.parents[1] / ".venvs"
ORDER = "00000000-0000-4000-8000-000000000001"
_NO = '{"error": {"code": "X", "message": "Not on a Sunday."}}'
_ANSWERS = (
    SystemAnswer(name="428", status=428, code="upstream_conflict", body=_NO, is_to_a_write=True),
    SystemAnswer(name="422", status=422, code="upstream_refused", body=_NO, is_to_a_write=True),
)


def compiled(cap: Cap, **said: Json) -> Compilation:
    """Return what comes of the running service's metadata, where its owner says this, too."""
    answer = httpx2.get(f"{cap.base_url}/$metadata", auth=HUB, trust_env=False)
    words = owners_words({**read_document((HERE / "owner.yaml").read_bytes()), **said})
    return compile_metadata(read_metadata(answer.content), Importing(name="orders", base_url=cap.base_url), words)


@dataclass(slots=True, kw_only=True)
class CapHarness:
    """A running service to try the connector on."""

    cap: Cap
    cases: Sequence[Case] = ()
    system: str = "SAP CAP 10.1 on SQLite"
    secret: Mapping[str, str] = field(default_factory=lambda: dict(zip(("username", "password"), HUB, strict=True)))

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return self.cap.base_url

    async def contents(self) -> Contents:
        """Return every record."""
        return self.cap.contents()

    async def count(self) -> int:
        """Return how many effects there were so far."""
        return len(self.cap.events)

    def write(self, operation: str, *, edits: str = "", change: Json = None, **arguments: Json) -> Case:
        """Return the case of a write; `edits` is the record that a colleague can change meanwhile."""

        async def edit() -> None:
            self.cap.clerk("PATCH", edits, change)

        return Case(
            operation=operation,
            arguments=arguments,
            effects=self.count,
            edit=edit if edits else None,
            answers=_ANSWERS,
        )


@asynccontextmanager
async def opened() -> AsyncGenerator[CapHarness]:
    """Yield a harness with a fresh service in which there are an order and a customer."""
    with tempfile.TemporaryDirectory() as folder, running(install(HOME), Path(folder)) as cap:
        put_order(cap, ORDER)
        cap.clerk("POST", "/Customers", {"code": "ACME", "name": "Acme"})
        harness = CapHarness(cap=cap)
        order = f"/Orders(ID={ORDER},IsActiveEntity=true)"
        harness.cases = [
            Case(operation="find_orders", arguments={"where": [{"field": "customer", "is": "is", "value": "O'Neil"}]}),
            Case(operation="get_orders", arguments={"ID": ORDER, "expand": ["items"]}),
            Case(operation="open_total", arguments={"customer": "O'Neil"}),
            harness.write("create_orders", customer="Acme", items=[{"product": "pen", "quantity": 2, "price": "1.50"}]),
            harness.write("update_orders", edits=order, change={"note": "Hers"}, ID=ORDER, note="Ours"),
            harness.write("create_customers", code="NEW", name="New"),
            harness.write(
                "update_customers", edits="/Customers('ACME')", change={"name": "Her"}, code="ACME", name="Our"
            ),
            harness.write("orders_cancel", edits=order, change={"note": "Hers"}, ID=ORDER, reason="Too late"),
            harness.write("delete_customers", code="ACME"),
            harness.write("delete_orders", ID=ORDER),
        ]
        yield harness


def put_order(cap: Cap, number: str, **more: Json) -> None:
    """Let a colleague take an order by hand."""
    items = [{"product": "pen", "quantity": 2, "price": "1.50"}]
    cap.clerk("POST", "/Orders", {"ID": number, "customer": "O'Neil", "items": items, **more})


__all__ = ["CapHarness", "compiled", "opened", "put_order"]
