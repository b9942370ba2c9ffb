"""Source apportionment of particles: positive matrix factorization and chemical mass balance."""
