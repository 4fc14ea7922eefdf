"""Drivers: transports, protocol families, devices in SI units."""
