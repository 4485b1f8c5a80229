"""What can be called: connectors, connections, tools, versions, servers."""

from hub.registry.arguments import canonical_arguments, canonical_under
from hub.registry.badge_values import PROMISES, Badge, BadgeLine, BadgeVerdict, Grade, Promise
from hub.registry.badges import badge_for, keep_badge
from hub.registry.catalog import Catalog
from hub.registry.connecting import (
    ConnectionChange,
    NewConnection,
    change_connection,
    create_connection,
    disable_connection,
    enable_connection,
    is_same_system,
    renew_connection,
    system_of,
)
from hub.registry.current import read_current
from hub.registry.digests import proof_digest
from hub.registry.keeping import (
    quarantine,
    raise_tier,
    release,
    set_owner_tier,
    set_rules,
    set_tool_owner,
    set_trust,
    settle_tier,
    withdraw_version,
)
from hub.registry.reading import (
    connections,
    connectors,
    find_connection,
    find_tool,
    get_connection,
    get_tool,
    servers,
    tools,
    versions,
)
from hub.registry.registration import register_connector
from hub.registry.serving import NewServer, Offer, allowable_servers, check_servers, create_server, publish, unpublish
from hub.registry.stewardship import CATALOG_CHANNEL
from hub.registry.values import (
    EVERYTHING,
    Annotations,
    Connection,
    Environment,
    PublishedTool,
    Server,
    Tool,
    ToolVersion,
)

__all__ = [
    "CATALOG_CHANNEL",
    "EVERYTHING",
    "PROMISES",
    "Annotations",
    "Badge",
    "BadgeLine",
    "BadgeVerdict",
    "Catalog",
    "Connection",
    "ConnectionChange",
    "Environment",
    "Grade",
    "NewConnection",
    "NewServer",
    "Offer",
    "Promise",
    "PublishedTool",
    "Server",
    "Tool",
    "ToolVersion",
    "allowable_servers",
    "badge_for",
    "canonical_arguments",
    "canonical_under",
    "change_connection",
    "check_servers",
    "connections",
    "connectors",
    "create_connection",
    "create_server",
    "disable_connection",
    "enable_connection",
    "find_connection",
    "find_tool",
    "get_connection",
    "get_tool",
    "is_same_system",
    "keep_badge",
    "proof_digest",
    "publish",
    "quarantine",
    "raise_tier",
    "read_current",
    "register_connector",
    "release",
    "renew_connection",
    "servers",
    "set_owner_tier",
    "set_rules",
    "set_tool_owner",
    "set_trust",
    "settle_tier",
    "system_of",
    "tools",
    "unpublish",
    "versions",
    "withdraw_version",
]
