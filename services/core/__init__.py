"""What every floor of the service uses: settings, clock, log lines, files and child processes."""
