"""Lineage: where an answer or a model comes from, and what a source has touched."""
