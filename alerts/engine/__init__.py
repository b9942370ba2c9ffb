"""From a forecast and a rule set to warnings, and the life of a warning from issue to its end."""
