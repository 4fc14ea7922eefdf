"""The emulated camera: its pictures, its faults, its server."""
