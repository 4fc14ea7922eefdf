"""Microcontroller boards that speak the MLPerf-Tiny (EEMBC) UART protocol."""
