"""Moving bytes to and from a device, and nothing else."""
