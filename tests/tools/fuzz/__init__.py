"""Damaged files through all readers: a clear error or a sound result, never anything else."""
