"""Channels: how people and programs hear that something happened or waits for them; a notice never decides anything."""

from hub.channels.notices import CHANNEL_TOPIC, TOPICS, Channel, Notice, handlers

__all__ = ["CHANNEL_TOPIC", "TOPICS", "Channel", "Notice", "handlers"]
