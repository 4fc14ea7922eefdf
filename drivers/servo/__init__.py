"""What families of serial-bus servos have in common: frames, tables, buses, chains of joints."""
