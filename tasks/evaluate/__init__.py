"""Measure retrieval, licence and sensitivity detection on labelled sets."""
