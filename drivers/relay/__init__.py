"""USB relay boards."""
