"""Watchdog: a process of its own that makes the rig safe when the loop's process cannot."""
