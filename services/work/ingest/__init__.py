"""Bringing weather and observations in, from whichever source answers, and building archives."""
