"""What can be called: connectors, connections, tools, versions, servers."""

from hub.registry.arguments import canonical_arguments
from hub.registry.catalog import Catalog
from hub.registry.connections import (
    ConnectionChange,
    NewConnection,
    change_connection,
    create_connection,
    disable_connection,
    enable_connection,
    renew_connection,
)
from hub.registry.current import read_current
from hub.registry.reading import (
    find_connection,
    find_tool,
    get_connection,
    get_tool,
    list_connections,
    list_connectors,
    list_servers,
    list_tools,
    list_versions,
)
from hub.registry.registration import register_connector
from hub.registry.servers import NewServer, Offer, create_server, publish, unpublish
from hub.registry.stewardship import CATALOG_CHANNEL
from hub.registry.tools import (
    quarantine,
    raise_tier,
    release,
    set_owner_tier,
    set_tool_owner,
    settle_tier,
    withdraw_version,
)
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
    "Annotations",
    "Catalog",
    "Connection",
    "ConnectionChange",
    "Environment",
    "NewConnection",
    "NewServer",
    "Offer",
    "PublishedTool",
    "Server",
    "Tool",
    "ToolVersion",
    "canonical_arguments",
    "change_connection",
    "create_connection",
    "create_server",
    "disable_connection",
    "enable_connection",
    "find_connection",
    "find_tool",
    "get_connection",
    "get_tool",
    "list_connections",
    "list_connectors",
    "list_servers",
    "list_tools",
    "list_versions",
    "publish",
    "quarantine",
    "raise_tier",
    "read_current",
    "register_connector",
    "release",
    "renew_connection",
    "set_owner_tier",
    "set_tool_owner",
    "settle_tier",
    "unpublish",
    "withdraw_version",
]
