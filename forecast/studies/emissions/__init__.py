"""Emissions of stacks, factories and vehicles."""
