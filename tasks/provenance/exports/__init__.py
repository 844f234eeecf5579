"""Lineage in the words of others: W3C PROV, OpenLineage, Croissant, SPDX.

Start with `formats.py`. Each format is one file that gives plain JSON values from the ledger; nothing
is sent anywhere unless `openlineage.send` is called.
"""
