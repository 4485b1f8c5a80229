"""The door for people: pages that work without JavaScript, one file per screen."""

from hub.web.problems import page_not_found
from hub.web.routes import web_routes

__all__ = ["page_not_found", "web_routes"]
