"""What two or more nouns need, and nothing else."""
