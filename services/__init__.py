"""Settings, store, cycle, jobs, API and the hazecast command: all input and output."""
