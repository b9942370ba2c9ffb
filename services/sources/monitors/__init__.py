"""Sources of monitoring data, one module a publisher, and what they have in common."""
