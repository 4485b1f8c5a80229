"""Pure decisions: facts in, a decision with rule ids and reasons out."""

from hub.policy.annotations import BundleInvalid, Fault, Rule
from hub.policy.bundle import Bundle
from hub.policy.decide import decide
from hub.policy.exposed import Exposed, exposed_facts
from hub.policy.obligations import Obligation, strictest
from hub.policy.places import Place
from hub.policy.trying import refuse_failing
from hub.policy.values import (
    Action,
    Allowed,
    Decision,
    Denied,
    Facts,
    Obliged,
    PreviewFacts,
)

__all__ = [
    "Action",
    "Allowed",
    "Bundle",
    "BundleInvalid",
    "Decision",
    "Denied",
    "Exposed",
    "Facts",
    "Fault",
    "Obligation",
    "Obliged",
    "Place",
    "PreviewFacts",
    "Rule",
    "decide",
    "exposed_facts",
    "refuse_failing",
    "strictest",
]
