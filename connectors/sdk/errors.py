"""What a connector may report about a call that did not succeed; the class decides what the hub may conclude.

ConnectorError
|- NotFound     the record does not exist, or the account may not see it
|- Refused      the system said no: definitive, nothing was done by this request
|- Conflict     the guard moved: definitive, nothing was done by this request
|- Unavailable  nothing was done: not sent, turned away before processing, or a failed read; trying again is safe
|- Unreadable   a request that changes nothing was answered with something the connector cannot read
|- Unknown      the request was sent and there is no clear answer
|  |- Accepted  the system accepted it, with an answer the connector cannot read
|- Fenced       the broker refused the request: this channel may not carry it
"""

from typing import Any, ClassVar

Json = Any
"""Any JSON value."""


class ConnectorError(Exception):
    """Base of the errors; `message` is shown to the agent and the approver, so it holds no secret."""

    code: ClassVar[str] = "connector_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFound(ConnectorError):
    """The record does not exist, or the account the hub uses may not see it."""

    code = "upstream_not_found"


class Refused(ConnectorError):
    """The system refused the request; it changed nothing."""

    code = "upstream_refused"


class Conflict(ConnectorError):
    """The guard no longer holds: somebody changed the record first."""

    code = "upstream_conflict"


class Unavailable(ConnectorError):
    """Nothing was done: the request was not sent, was turned away before processing, or only read."""

    code = "upstream_unavailable"


class Unreadable(ConnectorError):
    """A request that changes nothing was answered with something the connector cannot read."""

    code = "upstream_unreadable"


class Unknown(ConnectorError):
    """The request was sent and its outcome is not known."""

    code = "upstream_unknown"


class Accepted(Unknown):
    """The system accepted the request and answered with JSON that is not what the connector declares.

    Left alone it counts as Unknown. `run_phase` makes a finding of it where the call's only unsafe request was
    accepted: what happened is known then, only its description is not.
    """

    def __init__(self, message: str, answer: Json) -> None:
        super().__init__(message)
        self.answer = answer


class Fenced(ConnectorError):
    """The broker refused to carry the request on this channel."""

    code = "fenced"
