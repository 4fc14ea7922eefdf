"""Load cells and force gauges that send numbers as text."""
