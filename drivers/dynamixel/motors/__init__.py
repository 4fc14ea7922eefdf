"""Control tables of Dynamixel motors, one file a model."""
