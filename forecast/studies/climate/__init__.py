"""A city's years: climatology, episodes and trends."""
