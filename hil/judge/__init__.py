"""Statistics, latency bounds, claims to verdict; pure functions of the record."""
