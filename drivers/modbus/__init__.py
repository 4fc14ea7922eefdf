"""Modbus RTU: grippers, hands, and devices described by a file of registers."""
