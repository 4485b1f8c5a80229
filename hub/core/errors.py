"""The tree of errors that features raise and doors translate.

HubError
|- InputError             the caller can mend it
|  |- ArgumentsInvalid    arguments break the tool's input schema; names every violation
|  |- Malformed           not JSON, duplicate keys, numbers no peer would read alike
|  |- IdempotencyMismatch the key was used for another request
|- Unauthenticated        no valid credential
|  |- ProofRefused        the proof that a key is held, which a token is bound to, will not do
|     |- NonceNeeded      it would do with a nonce, which comes with the error
|- Forbidden              the caller is known and may not do this
|  |- ScopeMissing        a token with more scopes would do; names all of them
|  |- FreshLoginNeeded    the session is too old for this decision
|  |- Quarantined         the tool is held back until its owner has looked
|  |- TasksNeeded         the tool is for clients alone that know tasks
|- NotFound               does not exist, or the caller may not see it: the two look the same
|- Conflict               the state has moved on
|  |- ChangedSinceSeen    a vote carries the digest of an older preview
|- TooMany                a limit is reached; says in how many seconds to try again
|- Unavailable            a part the hub needs does not answer; nothing was changed
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class HubError(Exception):
    """Base of all errors a caller may read: a stable `code` and a sentence that says what to do."""

    code: ClassVar[str] = "hub_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InputError(HubError):
    """The request cannot be understood or carried out as it stands; the caller can mend it."""

    code = "input_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One broken rule: where (a JSON pointer, "" for the root) and what was expected."""

    pointer: str
    message: str


class ArgumentsInvalid(InputError):
    """The arguments break the tool's input schema."""

    code = "arguments_invalid"

    def __init__(self, violations: Sequence[Violation]) -> None:
        lines = "; ".join(f"{v.pointer or '/'}: {v.message}" for v in violations)
        super().__init__(f"{len(violations)} problem(s) with the arguments: {lines}")
        self.violations = tuple(violations)


class Malformed(InputError):
    """The bytes are not the JSON that every peer would read alike."""

    code = "malformed"


class IdempotencyMismatch(InputError):
    """The idempotency key was already used for a different request."""

    code = "idempotency_mismatch"


class Unauthenticated(HubError):
    """No valid credential was presented."""

    code = "unauthenticated"


class ProofRefused(Unauthenticated):
    """The proof that the caller holds the key of its token is missing or will not do (RFC 9449 section 7.1)."""

    code = "invalid_dpop_proof"


class NonceNeeded(ProofRefused):
    """The proof has to have a nonce of this server; `nonce` is one (RFC 9449 sections 8 and 9)."""

    code = "use_dpop_nonce"

    def __init__(self, nonce: str) -> None:
        super().__init__("Make the proof anew, with the nonce that is in the header DPoP-Nonce.")
        self.nonce = nonce


class Forbidden(HubError):
    """The caller is known and may not do this."""

    code = "forbidden"


class ScopeMissing(Forbidden):
    """The token lacks scopes; `needed` names every scope the call needs at once (RFC 6750 section 3.1)."""

    code = "insufficient_scope"

    def __init__(self, needed: Sequence[str]) -> None:
        super().__init__(f"This needs the scope(s): {' '.join(needed)}. Ask for a token that has them.")
        self.needed = tuple(needed)


class FreshLoginNeeded(Forbidden):
    """The decision needs a login younger than the session has."""

    code = "fresh_login_needed"


class Quarantined(Forbidden):
    """The tool is held back; the caller could use it before, so the message may say why."""

    code = "tool_quarantined"


class TasksNeeded(Forbidden):
    """Whoever publishes the tool keeps it for clients that know tasks; nothing was done."""

    code = "tasks_needed"


class NotFound(HubError):
    """The thing does not exist, or the caller may not see it."""

    code = "not_found"


class Conflict(HubError):
    """The state has moved on since the caller looked."""

    code = "conflict"


class ChangedSinceSeen(Conflict):
    """A vote carried the digest of something that has changed since the voter looked."""

    code = "changed_since_seen"


class TooMany(HubError):
    """A limit is reached. Nothing was changed; after `retry_after_seconds` there may be room again."""

    code = "over_budget"

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(HubError):
    """A part the hub needs does not answer. Nothing was changed."""

    code = "unavailable"
