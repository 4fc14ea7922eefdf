"""Figures that characterise a device: pure functions of arrays, with no device and no physics.

`pose`, `arrival` and `path` are after ISO 9283; `hand`, `grasp` and `tracking` after the NIST
hand metrics; `blocks` is box and blocks; `step`, `backlash` and `drift` are tests of a servo.
`series` holds checked samples over time, `summary` what a figure looks like and how sure it is.
`docs/metrology.md` says what each figure does not say.
"""
