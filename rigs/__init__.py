"""Rig files and their schema."""
