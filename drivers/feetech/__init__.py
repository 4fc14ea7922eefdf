"""Feetech serial-bus servos (STS, SMS, SCS) and arms made of them."""
