"""Tests that characterise a device: procedures on test stands, and figures with intervals.

Each is a job like any other, whose script is the procedure that an engineer would run and whose
score is a figure of `hil.metrology` held against what the device is declared to do. What measures
stands in the scene and is no part of the device (`tool-pose`, `shaft`, `gauge`, `artefact`); on a
real rig it is an instrument of its own behind the scene's contract.
"""
