"""Trust: how far a source is trusted, from evidence, with every component shown."""
