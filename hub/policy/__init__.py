"""Pure decisions: facts in, a decision with rule ids and reasons out."""

from hub.policy.annotations import BundleInvalid, Fault, Rule
from hub.policy.bundle import Bundle, schema_digest
from hub.policy.decide import decide, decided_tier, uncounted
from hub.policy.exposed import Exposed, exposed_facts
from hub.policy.histories import PREVIEWED_MONEY, History
from hub.policy.obligations import REQUESTER, Obligation, Sample, admits, alternatives, groups_of, strictest
from hub.policy.places import Place
from hub.policy.remarks import remarks
from hub.policy.trying import refuse_failing, refuse_unfit
from hub.policy.values import (
    Action,
    Alarm,
    Allowed,
    Decision,
    Denied,
    Facts,
    Obliged,
    PreviewFacts,
)

__all__ = [
    "PREVIEWED_MONEY",
    "REQUESTER",
    "Action",
    "Alarm",
    "Allowed",
    "Bundle",
    "BundleInvalid",
    "Decision",
    "Denied",
    "Exposed",
    "Facts",
    "Fault",
    "History",
    "Obligation",
    "Obliged",
    "Place",
    "PreviewFacts",
    "Rule",
    "Sample",
    "admits",
    "alternatives",
    "decide",
    "decided_tier",
    "exposed_facts",
    "groups_of",
    "refuse_failing",
    "refuse_unfit",
    "remarks",
    "schema_digest",
    "strictest",
    "uncounted",
]
