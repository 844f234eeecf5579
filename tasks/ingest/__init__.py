"""Read sources into documents: connectors, extraction with byte maps, language, near-duplicates."""
