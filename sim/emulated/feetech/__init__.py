"""Emulated Feetech servos on one bus: register by register, without a wire or a clock."""
