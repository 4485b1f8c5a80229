"""Previews: ask for them, compare them, keep their record."""
