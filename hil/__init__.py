"""Testbed with hardware in the loop: scenarios, devices and verdicts with evidence."""

__version__ = "0.1.0"
