"""Replays of past periods: the warnings that would have been issued, and how good they were."""
