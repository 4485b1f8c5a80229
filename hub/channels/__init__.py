"""Channels: how people and programs hear that something happened or waits for them; a notice never decides anything."""

from hub.channels.notices import TOPICS, Channel, Notice, handlers

__all__ = ["TOPICS", "Channel", "Notice", "handlers"]
