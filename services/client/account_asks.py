"""What the API answers to an account with its key, as requests: itself, its subscriptions, drafts and jobs."""

from __future__ import annotations

from hazecast.services.client.ask import Ask, Query, model, segment, sent
from hazecast.services.delivery.subscription_fields import Change, NewSubscription
from hazecast.services.scheduling.states import JobState, RunState
from hazecast.services.web.schemas.accounts import AccountOut, KeyOut, SelfOut
from hazecast.services.web.schemas.drafts import AuditedDraftOut, DraftOut
from hazecast.services.web.schemas.items import ItemsOut
from hazecast.services.web.schemas.own_cities import AdministeredCitiesOut, CityDetailOut
from hazecast.services.web.schemas.subscriptions import (
    CreatedOut,
    DeliveriesOut,
    DeliveryOut,
    ReplayedOut,
    SecretOut,
    SubscriptionOut,
    SubscriptionsOut,
    TestOut,
    WaitingOut,
)


def _subscription(name: str, what: str = "") -> str:
    return f"/v1/subscriptions/{segment(name)}{what}"


def me() -> Ask[SelfOut]:
    """The account that asks."""
    return model(SelfOut, "/v1/account")


def keys() -> Ask[ItemsOut[KeyOut]]:
    """Its keys."""
    return model(ItemsOut[KeyOut], "/v1/account/keys")


def accounts() -> Ask[ItemsOut[AccountOut]]:
    """All accounts."""
    return model(ItemsOut[AccountOut], "/v1/accounts")


def account(name: str) -> Ask[AccountOut]:
    """One account."""
    return model(AccountOut, f"/v1/accounts/{segment(name)}")


def account_keys(name: str) -> Ask[ItemsOut[KeyOut]]:
    """Another account's keys."""
    return model(ItemsOut[KeyOut], f"/v1/accounts/{segment(name)}/keys")


def administered_cities(query: Query) -> Ask[AdministeredCitiesOut]:
    """The cities as an administrator sees them."""
    return model(AdministeredCitiesOut, "/v1/administration/cities", query)


def administered_city(name: str) -> Ask[CityDetailOut]:
    """One of them, with its area and history."""
    return model(CityDetailOut, f"/v1/administration/cities/{segment(name)}")


def jobs() -> Ask[ItemsOut[JobState]]:
    """The scheduled jobs."""
    return model(ItemsOut[JobState], "/v1/jobs")


def job_runs(name: str, query: Query) -> Ask[ItemsOut[RunState]]:
    """The runs of a job.

    Parameters
    ----------
    name : str
    query : mapping

    Returns
    -------
    Ask[ItemsOut[RunState]]
    """
    return model(ItemsOut[RunState], f"/v1/jobs/{segment(name)}/runs", query)


def drafts(query: Query) -> Ask[ItemsOut[DraftOut]]:
    """Messages that wait for a person."""
    return model(ItemsOut[DraftOut], "/v1/drafts", query)


def draft(name: str, query: Query) -> Ask[AuditedDraftOut]:
    """One draft with its history.

    Parameters
    ----------
    name : str
    query : mapping

    Returns
    -------
    Ask[AuditedDraftOut]
    """
    return model(AuditedDraftOut, f"/v1/drafts/{segment(name)}", query)


def subscriptions() -> Ask[SubscriptionsOut]:
    """The account's subscriptions."""
    return model(SubscriptionsOut, "/v1/subscriptions")


def subscription(name: str) -> Ask[SubscriptionOut]:
    """One subscription."""
    return model(SubscriptionOut, _subscription(name))


def subscribe(new: NewSubscription) -> Ask[CreatedOut]:
    """Make a subscription."""
    return model(CreatedOut, "/v1/subscriptions", method="POST", body=sent(new))


def change_subscription(name: str, change: Change) -> Ask[SubscriptionOut]:
    """Change one.

    Parameters
    ----------
    name : str
    change : Change

    Returns
    -------
    Ask[SubscriptionOut]
    """
    return model(SubscriptionOut, _subscription(name), method="PATCH", body=sent(change))


def delete_subscription(name: str) -> Ask[None]:
    """Delete one."""
    return Ask(_subscription(name), lambda _: None, method="DELETE")


def rotate_secret(name: str) -> Ask[SecretOut]:
    """Make a webhook's secret anew."""
    return model(SecretOut, _subscription(name, "/secret"), method="POST")


def test_subscription(name: str) -> Ask[TestOut]:
    """Send a test message."""
    return model(TestOut, _subscription(name, "/test"), method="POST")


def deliveries(name: str, query: Query) -> Ask[DeliveriesOut]:
    """A subscription's messages.

    Parameters
    ----------
    name : str
    query : mapping

    Returns
    -------
    Ask[DeliveriesOut]
    """
    return model(DeliveriesOut, _subscription(name, "/deliveries"), query)


def dead_letters(query: Query) -> Ask[DeliveriesOut]:
    """What could not be delivered."""
    return model(DeliveriesOut, "/v1/dead-letters", query)


def send_now(name: str) -> Ask[WaitingOut]:
    """Send what waits of a subscription now."""
    return model(WaitingOut, _subscription(name, "/send-now"), method="POST")


def delivery(name: str) -> Ask[DeliveryOut]:
    """One delivery."""
    return model(DeliveryOut, f"/v1/deliveries/{segment(name)}")


def replay(name: str) -> Ask[ReplayedOut]:
    """Send a delivery again."""
    return model(ReplayedOut, f"/v1/deliveries/{segment(name)}/replay", method="POST")


def replay_dead(name: str) -> Ask[ReplayedOut]:
    """Send a subscription's dead letters again."""
    return model(ReplayedOut, _subscription(name, "/replay"), method="POST")
