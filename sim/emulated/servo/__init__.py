"""What emulated servos of any family are made of."""
