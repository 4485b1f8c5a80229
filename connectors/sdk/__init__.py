"""What a connector author imports; `__all__` is a contract."""

from connectors.sdk.auth import (
    ApiKey,
    AuthSpec,
    Basic,
    Bearer,
    ClientCredentials,
    JwtBearer,
    OnBehalfOfUser,
    SessionLogin,
    TokenExchange,
)
from connectors.sdk.connector import Connector
from connectors.sdk.context import Context, Receipt, Request
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
from connectors.sdk.protocols import GraphQL, JsonRpc, XmlRpc
from connectors.sdk.resource import Guard, Listed, Removed, Resource
from connectors.sdk.signature import BadDeclaration
from connectors.sdk.spec import Compensation, Cost, Idempotency, RateLimit, SafeRule
from connectors.sdk.vocabulary import Effect, Fidelity, Phase, Reversal, Tier, UpstreamClass
from connectors.sdk.wire import at
from connectors.sdk.xml_rpc import Fault

__all__ = [
    "ApiKey",
    "AuthSpec",
    "BadDeclaration",
    "Basic",
    "Bearer",
    "Blast",
    "Change",
    "ClientCredentials",
    "Compensation",
    "Conflict",
    "Connector",
    "ConnectorError",
    "Context",
    "Cost",
    "Effect",
    "Fault",
    "Fenced",
    "Fidelity",
    "GraphQL",
    "Guard",
    "Idempotency",
    "JsonRpc",
    "JwtBearer",
    "Listed",
    "NotFound",
    "OnBehalfOfUser",
    "Phase",
    "Precondition",
    "Preview",
    "RateLimit",
    "Read",
    "Receipt",
    "Refused",
    "Removed",
    "Request",
    "Resource",
    "Reversal",
    "SafeRule",
    "SessionLogin",
    "SideEffect",
    "Tier",
    "TokenExchange",
    "Unavailable",
    "Unknown",
    "Unreadable",
    "UpstreamClass",
    "Write",
    "XmlRpc",
    "at",
]
