"""Ours against a peer in one run; results as JSON, from which every figure in the documents is copied."""
