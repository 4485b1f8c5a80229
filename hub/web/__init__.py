"""The door for people: pages that work without JavaScript, one file per screen."""

from hub.web.routes import web_routes

__all__ = ["web_routes"]
