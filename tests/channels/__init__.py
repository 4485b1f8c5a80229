"""Tests of channels, and the words they share."""
