"""The door for tokens."""
