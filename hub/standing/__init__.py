"""Standing grants: an approver's permission in advance for more writes of one kind, with a budget that burns down."""

from hub.standing.covering import Case, can_stand_for, is_single_vote, why_not
from hub.standing.keeping import Agency, get_grant, grants_of, open_grants_for, put_grant, revoke_grant, revoke_like
from hub.standing.spending import Spending, has_spent, is_good_now, return_unsent, spend, spending_of
from hub.standing.values import Limit, NewStandingGrant, StandingGrant, read_limit

__all__ = [
    "Agency",
    "Case",
    "Limit",
    "NewStandingGrant",
    "Spending",
    "StandingGrant",
    "can_stand_for",
    "get_grant",
    "grants_of",
    "has_spent",
    "is_good_now",
    "is_single_vote",
    "open_grants_for",
    "put_grant",
    "read_limit",
    "return_unsent",
    "revoke_grant",
    "revoke_like",
    "spend",
    "spending_of",
    "why_not",
]
