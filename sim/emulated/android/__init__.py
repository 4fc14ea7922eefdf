"""The emulated phone and the adb server in front of it."""
