"""The door for tokens: the embedded authorization server's endpoints (RFC 6749, 7636, 8414, 8707, 9068, 9207)."""

from hub.oauth.routes import oauth_routes

__all__ = ["oauth_routes"]
