"""The Python client of the API.

>>> from hazecast.services.client import Client, ServerError
"""

from hazecast.services.client.client import Client
from hazecast.services.client.errors import NoAnswerError, RefusedError, ServerError, UnavailableError

__all__ = ["Client", "NoAnswerError", "RefusedError", "ServerError", "UnavailableError"]
