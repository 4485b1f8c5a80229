"""What a connector author imports; `__all__` is a contract."""

from connectors.sdk.connector import Connector
from connectors.sdk.context import Context, JsonRpc, Receipt, Request
from connectors.sdk.errors import (
    Conflict,
    ConnectorError,
    Fenced,
    NotFound,
    Refused,
    Unavailable,
    Unknown,
    Unreadable,
)
from connectors.sdk.operations import Read, Write
from connectors.sdk.preview import Blast, Change, Precondition, Preview, SideEffect
from connectors.sdk.signature import BadDeclaration
from connectors.sdk.spec import AuthSpec, Compensation, SafeRule
from connectors.sdk.vocabulary import Effect, Fidelity, Phase, Reversal, Tier, UpstreamClass
from connectors.sdk.wire import at

__all__ = [
    "AuthSpec",
    "BadDeclaration",
    "Blast",
    "Change",
    "Compensation",
    "Conflict",
    "Connector",
    "ConnectorError",
    "Context",
    "Effect",
    "Fenced",
    "Fidelity",
    "JsonRpc",
    "NotFound",
    "Phase",
    "Precondition",
    "Preview",
    "Read",
    "Receipt",
    "Refused",
    "Request",
    "Reversal",
    "SafeRule",
    "SideEffect",
    "Tier",
    "Unavailable",
    "Unknown",
    "Unreadable",
    "UpstreamClass",
    "Write",
    "at",
]
