"""What can be called: connectors, connections, tools, versions, servers."""
