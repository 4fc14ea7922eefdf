"""CAN buses: behind an slcan adapter on a serial line, or any interface of python-can."""
