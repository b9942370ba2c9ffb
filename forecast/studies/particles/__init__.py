"""Where particles come from: positive matrix factorization and chemical mass balance."""
