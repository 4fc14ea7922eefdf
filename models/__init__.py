"""Model cards, networks and how they were trained."""
