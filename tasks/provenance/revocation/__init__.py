"""Revocation: take a source, a document or a licence out again, and prove that it is gone.

Start with `scope` (what is asked for), `plan` (what that means), `run` (the steps in order).
"""
