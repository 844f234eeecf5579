"""Licences: what a document is licensed under, read from declarations and texts, as SPDX."""
