"""What a connector may report about a call that did not succeed; the class decides what the hub may conclude.

ConnectorError
|- NotFound     the record does not exist, or the account may not see it
|- Refused      the system said no: definitive, nothing was done by this request
|- Conflict     the guard moved: definitive, nothing was done by this request
|- Unavailable  the request was not sent; trying again is safe
|- Unknown      the request was sent and there is no clear answer
|- Fenced       the broker refused the request: this channel may not carry it
"""

from typing import ClassVar


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
    """The request was not sent."""

    code = "upstream_unavailable"


class Unknown(ConnectorError):
    """The request was sent and its outcome is not known."""

    code = "upstream_unknown"


class Fenced(ConnectorError):
    """The broker refused to carry the request on this channel."""

    code = "fenced"
