"""Policy: what may be done with a text by its licence, and the notices that are owed."""
