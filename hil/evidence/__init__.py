"""Signed evidence: manifest of digests, in-toto statements in DSSE, keys, verification."""
