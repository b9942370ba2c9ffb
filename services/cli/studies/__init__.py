"""Commands of the studies; each module is one study. Expensive imports are inside the commands."""
