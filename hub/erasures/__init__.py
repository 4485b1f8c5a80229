"""What is deleted for good, and what may not be: erasures that people ask for and auditors grant, legal holds, and
retention.
"""

from hub.erasures.asking import Erasure, NewErasure, Stage, ask, erasures, get_erasure, refuse
from hub.erasures.granting import grant
from hub.erasures.holds import Hold, HoldKind, NewHold, holds_now, lift_hold, set_hold
from hub.erasures.retention import USUAL, Keeping, retain
from hub.erasures.scopes import Extent, Scope, ScopeKind, survey

__all__ = [
    "USUAL",
    "Erasure",
    "Extent",
    "Hold",
    "HoldKind",
    "Keeping",
    "NewErasure",
    "NewHold",
    "Scope",
    "ScopeKind",
    "Stage",
    "ask",
    "erasures",
    "get_erasure",
    "grant",
    "holds_now",
    "lift_hold",
    "refuse",
    "retain",
    "set_hold",
    "survey",
]
