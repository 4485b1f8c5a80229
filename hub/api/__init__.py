"""The door for automation."""
