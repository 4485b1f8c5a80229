"""The append-only, verifiable record of everything the hub does."""
