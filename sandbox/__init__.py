"""Confined processes, their channels and the egress broker."""
