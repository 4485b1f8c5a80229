"""Tests of hub/metrics."""
