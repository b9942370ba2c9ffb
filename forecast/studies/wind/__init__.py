"""Transport of pollution: wind roses, trajectories and receptor models."""
