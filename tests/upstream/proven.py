"""What the contract kit has proven of a connector's undo, as a badge for tests that start from there.

That it is true is shown where the kit itself runs: `test_proving.py` for the test upstream, the connector's own tests
for others.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from connectors.sdk.spec import ConnectorSpec
from hub.identity.authority import Authority
from hub.registry import Badge, BadgeLine, BadgeVerdict, Grade, Promise, keep_badge, proof_digest
from hub.storage import Tx

UNDONE = ("item_put", "item_update")
"""The writes of the test upstream that the kit does and undoes."""


async def prove_undo(tx: Tx, spec: ConnectorSpec, authority: Authority, operations: Sequence[str] = UNDONE) -> None:
    """Keep the badge that says of `operations` that their undo was tried on a live system, and held."""
    lines = [
        BadgeLine(
            operation=operation,
            promise=Promise.UNDO,
            verdict=BadgeVerdict.PASSED,
            grade=Grade.LIVE,
            reason="By everything the system holds.",
        )
        for operation in operations
    ]
    badge = Badge(
        connector=spec.name,
        version=spec.version,
        artefact_digest=spec.artefact_digest,
        system="a system for tests",
        checked_at=datetime(2026, 11, 1, tzinfo=UTC),
        covers={name: proof_digest(spec, spec.operation(name)) for name in operations},
        lines=lines,
    )
    await keep_badge(tx, badge, authority)
