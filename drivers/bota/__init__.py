"""Force and torque sensors of Bota Systems on a serial line."""
