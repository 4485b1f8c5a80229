"""What can be called: connectors, connections, tools, versions, servers."""

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
    "EVERYTHING",
    "Annotations",
    "Connection",
    "Environment",
    "PublishedTool",
    "Server",
    "Tool",
    "ToolVersion",
]
