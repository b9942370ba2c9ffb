"""``python -m hazecast``: the same as the command ``hazecast``."""

from hazecast.services.cli.app import main

main()
