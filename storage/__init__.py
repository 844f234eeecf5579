"""What is kept: blobs, tables, the ledger, answers and indexes. Knows no orchestrator."""
