"""Jobs by schedule: what is due, who may start it, and what became of it."""
