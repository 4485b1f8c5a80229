"""Tests of promotions: gates, playing recorded calls, and taking back what crosses the line."""
