"""Verification: everything stored, and every citation, read again and compared."""
