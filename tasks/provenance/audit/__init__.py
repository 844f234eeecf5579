"""Audit: what stored answers, or a model, are made of, as a page for people and as JSON.

Start with `collect.py` (what is gathered), `records.py` (what is said), `page.py` (how it looks).
"""
