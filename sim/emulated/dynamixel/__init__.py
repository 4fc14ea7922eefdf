"""Emulated Dynamixel motors of both protocols on one bus."""
