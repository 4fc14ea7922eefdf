"""Emulated devices: pure logic that speaks the real protocols, one module or folder a family."""
