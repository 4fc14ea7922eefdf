"""What stands around a robot: scenes as data, and the elements they are built of."""
