"""Turn documents into chunks, term counts, vectors and a searchable index."""
