"""Robots made of Dynamixel motors, one file a model."""
