"""A thermometer on a serial line, for the testbed."""
