"""Tests of the house itself: rules that no linter knows, each of them shown to be able to fail."""
