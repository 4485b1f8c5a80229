"""Approval requests, votes and their rules."""
