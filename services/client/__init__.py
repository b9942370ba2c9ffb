"""The Python client of the API: `Client` waits for each answer, `AsyncClient` is awaited.

>>> from hazecast.services.client import AsyncClient, Client, ServerError
"""

from hazecast.services.client.aio import AsyncClient
from hazecast.services.client.client import Client
from hazecast.services.client.errors import NoAnswerError, RefusedError, ServerError, UnavailableError
from hazecast.services.client.events import ForecastEvent, OwnEvent, PublicEvent, ResetEvent, WarningEvent
from hazecast.services.client.study_asks import StudyFailedError
from hazecast.services.delivery.subscription_fields import Change, NewSubscription

__all__ = [
    "AsyncClient",
    "Change",
    "Client",
    "ForecastEvent",
    "NewSubscription",
    "NoAnswerError",
    "OwnEvent",
    "PublicEvent",
    "RefusedError",
    "ResetEvent",
    "ServerError",
    "StudyFailedError",
    "UnavailableError",
    "WarningEvent",
]
