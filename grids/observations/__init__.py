"""Monitoring data: readers of collections and sample tables, and cities made of their stations."""
