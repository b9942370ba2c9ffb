"""Where the wind brings pollution from: roses, trajectories and receptor models."""
