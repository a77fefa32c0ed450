"""Tests of emergelab.figures."""
