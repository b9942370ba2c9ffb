"""Quality of measurements: instruments, laboratories and networks."""
