"""A report of the contract kit about the test upstream's own connector, as it is sent to the API."""

from datetime import UTC, datetime
from typing import Final

from upstream.connector import connector

from hub.registry import Badge, BadgeLine, BadgeVerdict, Grade, Promise, proof_digest
from hub.registry.reports import report_of

_LINE: Final = BadgeLine(
    operation="item_update",
    promise=Promise.UNDO,
    verdict=BadgeVerdict.PASSED,
    grade=Grade.LIVE,
    reason="It was tried.",
)
_BADGE: Final = Badge(
    connector=connector.spec.name,
    version=connector.spec.version,
    artefact_digest=connector.spec.artefact_digest,
    system="a system in CI",
    checked_at=datetime.now(UTC),
    covers={"item_update": proof_digest(connector.spec, connector.spec.operation("item_update"))},
    lines=(_LINE,),
)
REPORT: Final = report_of(_BADGE, place="CI", kit="0.1.0").model_dump(mode="json")
