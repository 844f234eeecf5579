"""Tracing: the passages of any text that live documents hold, proven by their bytes."""
