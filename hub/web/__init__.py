"""The door for people: pages that work without JavaScript, one file per screen."""

from hub.web.routes import lost, web_routes

__all__ = ["lost", "web_routes"]
