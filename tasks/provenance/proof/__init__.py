"""Proof: files that show a citation to someone who has only a public key."""
