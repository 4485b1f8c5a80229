"""Gives the tests of this folder a hub with its door for agents open."""

from doors.agents import app, connect, http, hub

__all__ = ["app", "connect", "http", "hub"]
