"""Simulated benches: physics, sensors, tasks and the twin."""
