"""Tests of emergelab.report."""
