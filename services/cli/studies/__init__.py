"""The commands of the cooperation's studies; each module is one study. Heavy imports wait inside the commands."""
