"""Instruments that speak SCPI over a serial line: supplies and meters."""
