"""Sensitivity: personal data and secrets in a text, by kind and place."""
