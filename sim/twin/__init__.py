"""Twin: emulated servos on pseudo-terminals, the plant behind them, and the link to it."""
