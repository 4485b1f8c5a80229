"""The test upstream: a small system of record that counts its effects and fails on command. Never part of the hub."""
