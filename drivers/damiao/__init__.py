"""Damiao motors on a CAN bus, in MIT mode."""
