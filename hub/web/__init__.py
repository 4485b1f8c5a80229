"""The door for people: pages that work without JavaScript, one file per screen."""

from hub.web.routes import lost, web_routes
from hub.web.slack import SlackDoor
from hub.web.slack_words import telling

__all__ = ["SlackDoor", "lost", "telling", "web_routes"]
