"""Whether the simulated physics is what it is taken for: checks against closed formulas.

`docs/physics.md` tells of each check, of what it found, and of what the physics is not.
"""
