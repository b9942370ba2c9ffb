"""Monitoring data: readers of collections and sample tables, and city means of their stations."""
