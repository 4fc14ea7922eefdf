"""Pacing, stages and budgets, tick log."""
