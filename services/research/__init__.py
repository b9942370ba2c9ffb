"""For modelers: training, backtests, replays of past periods, comparison of models."""
