"""Dynamixel servos (Protocol 2.0 and 1.0), and chains of them: arms and hands."""
