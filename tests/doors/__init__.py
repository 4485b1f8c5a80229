"""A whole hub for the tests of its doors."""
