"""Scheduled jobs: when they are due, which process may start them, and how each run ended."""
