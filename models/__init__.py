"""Forecast models behind one interface: baselines, the network, training and checkpoints."""
