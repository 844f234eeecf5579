"""Say where a text comes from and prove it: licences, sensitive data, lineage, verification."""
