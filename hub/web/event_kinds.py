"""The kinds of events in people's words, as the log, timelines and evidence call them."""

from collections.abc import Mapping
from typing import Final

from hub.audit import EventKind
from hub.web.wording import Word

EVENTS: Final[Mapping[EventKind, Word]] = {
    EventKind.INVOCATION_RECEIVED: Word(label="Received", meaning="", tone="info"),
    EventKind.INVOCATION_READ: Word(label="Read and answered", meaning="", tone="good"),
    EventKind.INVOCATION_DENIED: Word(label="Refused by policy", meaning="", tone="bad"),
    EventKind.INVOCATION_REFUSED: Word(label="Refused", meaning="", tone="bad"),
    EventKind.INVOCATION_PREVIEWING: Word(label="Preview begun", meaning="", tone="info"),
    EventKind.INVOCATION_PREVIEWED: Word(label="Previewed", meaning="", tone="info"),
    EventKind.INVOCATION_PREVIEW_FAILED: Word(label="Preview failed", meaning="", tone="bad"),
    EventKind.INVOCATION_APPROVAL_REQUESTED: Word(label="Approval asked for", meaning="", tone="warn"),
    EventKind.INVOCATION_APPROVED: Word(label="Approved", meaning="", tone="good"),
    EventKind.INVOCATION_REJECTED: Word(label="Rejected", meaning="", tone="bad"),
    EventKind.INVOCATION_EXPIRED: Word(label="Expired", meaning="", tone="neutral"),
    EventKind.INVOCATION_CANCELLED: Word(label="Cancelled", meaning="", tone="neutral"),
    EventKind.INVOCATION_STALE: Word(label="Overtaken by a change", meaning="", tone="warn"),
    EventKind.COMMIT_CLAIMED: Word(label="Taken up to be carried out", meaning="", tone="info"),
    EventKind.COMMIT_RELEASED: Word(label="Put back, nothing sent", meaning="", tone="neutral"),
    EventKind.COMMIT_SENT: Word(label="Sent to the system", meaning="", tone="info"),
    EventKind.COMMIT_RESENDING: Word(label="To be sent again", meaning="", tone="warn"),
    EventKind.COMMIT_COMMITTED: Word(label="Carried out", meaning="", tone="good"),
    EventKind.COMMIT_FAILED: Word(label="Not carried out", meaning="", tone="bad"),
    EventKind.COMMIT_IN_DOUBT: Word(label="In doubt", meaning="", tone="bad"),
    EventKind.COMMIT_NOT_APPLIED: Word(label="Found not to have arrived", meaning="", tone="neutral"),
    EventKind.COMMIT_VERIFIED: Word(label="Read back and verified", meaning="", tone="good"),
    EventKind.COMMIT_DIVERGED: Word(label="Read back and different", meaning="", tone="bad"),
    EventKind.COMMIT_UNVERIFIABLE: Word(label="Could not be read back", meaning="", tone="warn"),
    EventKind.COMMIT_RESOLVED: Word(label="Settled by a person", meaning="", tone="neutral"),
    EventKind.INVOCATION_ALARMED: Word(label="Found unusual by a rule", meaning="", tone="warn"),
    EventKind.INVOCATION_SUPERSEDED: Word(label="Other arguments proposed", meaning="", tone="warn"),
    EventKind.APPROVAL_REMINDED: Word(label="People were reminded", meaning="", tone="warn"),
    EventKind.APPROVAL_ESCALATED: Word(label="Others were told that it waits", meaning="", tone="warn"),
    EventKind.VOTE_CAST: Word(label="A vote", meaning="", tone="info"),
    EventKind.VOTE_REFUSED: Word(label="A vote was not counted", meaning="", tone="bad"),
    EventKind.GLASS_BROKEN: Word(label="Let go without approval: the glass was broken", meaning="", tone="bad"),
    EventKind.GLASS_REFUSED: Word(label="An attempt to break the glass", meaning="", tone="bad"),
    EventKind.REVIEW_PASSED: Word(label="Reviewed afterwards, and found right", meaning="", tone="good"),
    EventKind.REVIEW_DISPUTED: Word(label="Disputed by a reviewer", meaning="", tone="bad"),
    EventKind.PLAN_STEP_DECIDED: Word(label="A step was decided on", meaning="", tone="info"),
    EventKind.PLAN_STOPPED: Word(label="Stopped; what was done is taken back", meaning="", tone="warn"),
    EventKind.PLAN_UNDONE: Word(label="Taken back", meaning="", tone="neutral"),
    EventKind.PLAN_PARTIAL: Word(label="Ended in part", meaning="", tone="bad"),
    EventKind.BODIES_SENT: Word(label="Told in Slack, outside the hub", meaning="", tone="neutral"),
    EventKind.BODIES_READ: Word(
        label="Opened by somebody who neither asked for it nor decides about it", meaning="", tone="neutral"
    ),
    EventKind.INVOCATION_CONFIRMATION_REQUESTED: Word(
        label="Confirmation asked of whom it is for", meaning="", tone="warn"
    ),
    EventKind.INVOCATION_CONFIRMED: Word(label="Confirmed by whom it is for", meaning="", tone="good"),
    EventKind.COMMIT_BRAKED: Word(label="Held back by a limit or a switch", meaning="", tone="warn"),
    EventKind.DEPUTY_NAMED: Word(label="A deputy named", meaning="", tone="info"),
    EventKind.DEPUTY_ENDED: Word(label="A deputy's time ended", meaning="", tone="neutral"),
    EventKind.STANDING_GRANTED: Word(label="Calls allowed in advance", meaning="", tone="info"),
    EventKind.STANDING_SPENT: Word(label="A standing grant used", meaning="", tone="info"),
    EventKind.STANDING_RETURNED: Word(label="Given back to a standing grant", meaning="", tone="neutral"),
    EventKind.STANDING_REVOKED: Word(label="A standing grant taken back", meaning="", tone="warn"),
    EventKind.TRUST_RESTORED: Word(label="Trust in a tool restored", meaning="", tone="good"),
    EventKind.ACCOUNT_CREATED: Word(label="An account made", meaning="", tone="info"),
    EventKind.ACCOUNT_CHANGED: Word(label="An account changed", meaning="", tone="info"),
    EventKind.ACCOUNT_SUSPENDED: Word(label="An account suspended", meaning="", tone="bad"),
    EventKind.ACCOUNT_RESUMED: Word(label="An account let in again", meaning="", tone="good"),
    EventKind.AGENT_CREATED: Word(label="An agent made", meaning="", tone="info"),
    EventKind.AGENT_DECLARED: Word(label="A version of an agent declared", meaning="", tone="info"),
    EventKind.AGENT_CHANGED: Word(label="An agent changed", meaning="", tone="info"),
    EventKind.AGENT_SUSPENDED: Word(label="An agent suspended", meaning="", tone="bad"),
    EventKind.AGENT_RESUMED: Word(label="An agent let in again", meaning="", tone="good"),
    EventKind.LOGIN_SUCCEEDED: Word(label="Logged in", meaning="", tone="info"),
    EventKind.LOGIN_FAILED: Word(label="A login failed", meaning="", tone="warn"),
    EventKind.PASSKEY_ENROLLED: Word(label="A passkey added", meaning="", tone="info"),
    EventKind.PASSKEY_REMOVED: Word(label="A passkey removed", meaning="", tone="neutral"),
    EventKind.IDENTITY_LINKED: Word(label="An account elsewhere linked", meaning="", tone="info"),
    EventKind.IDENTITY_UNLINKED: Word(label="An account elsewhere unlinked", meaning="", tone="neutral"),
    EventKind.CONSENT_GIVEN: Word(label="Consent given to an agent", meaning="", tone="good"),
    EventKind.CONSENT_DENIED: Word(label="Consent denied to an agent", meaning="", tone="bad"),
    EventKind.CONSENT_WITHDRAWN: Word(label="Consent withdrawn from an agent", meaning="", tone="warn"),
    EventKind.TOKEN_ISSUED: Word(label="A token given out", meaning="", tone="info"),
    EventKind.TOKEN_REVOKED: Word(label="A token revoked", meaning="", tone="neutral"),
    EventKind.TOKEN_REUSE_DETECTED: Word(label="A refresh token used twice", meaning="", tone="bad"),
    EventKind.CONNECTOR_REGISTERED: Word(label="A connector's release published", meaning="", tone="info"),
    EventKind.CONNECTOR_CHECKED: Word(label="A connector checked", meaning="", tone="info"),
    EventKind.CONNECTOR_REPORTED: Word(label="A check of a connector reported", meaning="", tone="info"),
    EventKind.RUNNER_REGISTERED: Word(label="A runner registered", meaning="", tone="info"),
    EventKind.RUNNER_REVOKED: Word(label="A runner revoked", meaning="", tone="warn"),
    EventKind.PROMOTION_ASKED: Word(label="A promotion asked for", meaning="", tone="info"),
    EventKind.PROMOTION_CHECKED: Word(label="A promotion's gates checked", meaning="", tone="info"),
    EventKind.PROMOTION_EXPLAINED: Word(label="A promotion's differences explained", meaning="", tone="info"),
    EventKind.PROMOTION_IN_FORCE: Word(label="A release put in use", meaning="", tone="good"),
    EventKind.PROMOTION_REJECTED: Word(label="A promotion rejected", meaning="", tone="bad"),
    EventKind.PROMOTION_WITHDRAWN: Word(label="A promotion withdrawn", meaning="", tone="neutral"),
    EventKind.PROMOTION_REPLACED: Word(label="A promotion overtaken by another", meaning="", tone="neutral"),
    EventKind.PROMOTION_REVERTED: Word(label="A release taken back", meaning="", tone="warn"),
    EventKind.PIN_CHANGED: Word(label="A server says something else", meaning="", tone="warn"),
    EventKind.PIN_ACCEPTED: Word(label="What a server says now accepted", meaning="", tone="good"),
    EventKind.PIN_REFUSED: Word(label="What a server says now refused", meaning="", tone="bad"),
    EventKind.CONNECTION_CREATED: Word(label="A connection made", meaning="", tone="info"),
    EventKind.CONNECTION_CHANGED: Word(label="A connection changed", meaning="", tone="info"),
    EventKind.CONNECTION_TRIED: Word(label="A connection tried", meaning="", tone="info"),
    EventKind.CONNECTION_UNAVAILABLE: Word(label="A connection unavailable", meaning="", tone="bad"),
    EventKind.CONNECTION_RESTORED: Word(label="A connection available again", meaning="", tone="good"),
    EventKind.CONNECTION_DISABLED: Word(label="A connection disabled", meaning="", tone="warn"),
    EventKind.TOOL_VERSION_PUBLISHED: Word(label="A version of a tool published", meaning="", tone="info"),
    EventKind.TOOL_CHANGED: Word(label="A tool changed", meaning="", tone="info"),
    EventKind.TOOL_QUARANTINED: Word(label="A tool held back", meaning="", tone="bad"),
    EventKind.TOOL_RELEASED: Word(label="A tool offered again", meaning="", tone="good"),
    EventKind.TOOL_TIER_RAISED: Word(label="A tool's tier raised", meaning="", tone="warn"),
    EventKind.WEBHOOK_DISABLED: Word(label="A webhook switched off", meaning="", tone="warn"),
    EventKind.WEBHOOK_ENABLED: Word(label="A webhook switched on", meaning="", tone="info"),
    EventKind.COMPOSITE_DECLARED: Word(label="A composite tool declared", meaning="", tone="info"),
    EventKind.SERVER_CHANGED: Word(label="A server changed", meaning="", tone="info"),
    EventKind.SERVER_PROPOSED: Word(label="A change of a server proposed", meaning="", tone="info"),
    EventKind.SERVER_REJECTED: Word(label="A change of a server rejected", meaning="", tone="bad"),
    EventKind.SERVER_RETIRED: Word(label="A server retired", meaning="", tone="warn"),
    EventKind.BUNDLE_PROPOSED: Word(label="Policy proposed", meaning="", tone="info"),
    EventKind.BUNDLE_PUBLISHED: Word(label="Policy published", meaning="", tone="info"),
    EventKind.LIMIT_SET: Word(label="A limit set", meaning="", tone="info"),
    EventKind.LIMIT_LIFTED: Word(label="A limit lifted", meaning="", tone="warn"),
    EventKind.CENTRE_OPENED: Word(label="A cost centre opened", meaning="", tone="info"),
    EventKind.CENTRE_CHANGED: Word(label="A cost centre changed", meaning="", tone="info"),
    EventKind.CENTRE_CLOSED: Word(label="A cost centre closed", meaning="", tone="neutral"),
    EventKind.COSTS_ASSIGNED: Word(label="Costs assigned", meaning="", tone="info"),
    EventKind.STOP_SET: Word(label="A kill switch set", meaning="", tone="bad"),
    EventKind.STOP_LIFTED: Word(label="A kill switch lifted", meaning="", tone="good"),
    EventKind.KEY_ROTATED: Word(label="A new key that signs the log", meaning="", tone="info"),
    EventKind.VALUES_ERASED: Word(label="Values erased", meaning="", tone="neutral"),
    EventKind.ERASURE_ASKED: Word(label="An erasure asked for", meaning="", tone="info"),
    EventKind.ERASURE_GRANTED: Word(label="An erasure granted", meaning="", tone="warn"),
    EventKind.ERASURE_REFUSED: Word(label="An erasure refused", meaning="", tone="neutral"),
    EventKind.HOLD_SET: Word(label="A legal hold set", meaning="", tone="warn"),
    EventKind.HOLD_LIFTED: Word(label="A legal hold lifted", meaning="", tone="neutral"),
    EventKind.LOG_EXPORTED: Word(label="The log taken away or checked", meaning="", tone="info"),
}


VOTES: Final[Mapping[tuple[EventKind, str], Word]] = {
    (EventKind.VOTE_CAST, "approve"): Word(label="A vote to approve", meaning="", tone="good"),
    (EventKind.VOTE_CAST, "reject"): Word(label="A vote to reject", meaning="", tone="bad"),
    (EventKind.VOTE_REFUSED, "approve"): Word(label="A vote to approve was not counted", meaning="", tone="bad"),
    (EventKind.VOTE_REFUSED, "counter"): Word(label="A counter-proposal was not taken", meaning="", tone="bad"),
    (EventKind.VOTE_REFUSED, "reject"): Word(label="A vote to reject was not counted", meaning="", tone="bad"),
}
UNCOUNTED: Final[Mapping[str, str]] = {
    "changed_since_seen": "what it was about had changed",
    "conflict": "the question was closed, or they had voted before",
    "forbidden": "they may not decide this",
    "fresh_login_needed": "it needs a fresh login",
    "input_invalid": "its reason was missing or too long",
}
"""Why a vote was not counted, by the code of the refusal."""


def vote_word(kind: EventKind, choice: str) -> Word:
    """Return the words for a vote and what it was for."""
    return VOTES.get((kind, choice)) or EVENTS[kind]


def found_word(*, was_done: bool) -> Word:
    """Return the words for what an operator found of a write in doubt."""
    return Word(
        label="Found done" if was_done else "Found not done", meaning="", tone="good" if was_done else "neutral"
    )


def event_word(kind: EventKind) -> Word:
    """Return the words for an event."""
    return EVENTS[kind]
