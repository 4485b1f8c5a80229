"""Tests of erasures, legal holds and retention."""
