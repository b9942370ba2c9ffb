"""Training: the loop, its state on disk, and what is held back to tune on."""
