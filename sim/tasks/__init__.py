"""The archetypes: one module each, scored from the record alone."""
