"""Measurements of the hub's speed, side by side with what it is to be compared with."""
