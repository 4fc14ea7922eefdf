"""Robots as parameter tables: bodies, kinematics, motion of their servos."""
