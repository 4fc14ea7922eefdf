"""Scenario, rig, seeds and stopping rule to a frozen plan with a digest."""
