"""Models of sensors: what a device would report of a truth that it is given. No physics engine."""
