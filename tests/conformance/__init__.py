"""The official conformance suite against the test upstream, and through a hub in front of it."""
