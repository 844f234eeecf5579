"""Answer a question from retrieved passages, each sentence with its citation, or refuse."""
