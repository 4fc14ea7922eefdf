"""Twin: a host for emulated devices, the plant behind them, and the link to it."""
