"""How far measurements can be trusted: instruments, laboratories and networks."""
