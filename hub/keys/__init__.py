"""Encryption and signing keys, and their rotation."""
