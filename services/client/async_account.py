"""What `AsyncClient` reads and changes with an account's key: subscriptions and their messages, drafts, jobs, accounts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Unpack

from hazecast.services.client import account_asks as asks
from hazecast.services.client.awaiting import AsyncConnection
from hazecast.services.client.events import OwnEvent, own_event, own_path
from hazecast.services.client.queries import AdministeredQuery, DeliveriesQuery, DraftsQuery, PageQuery
from hazecast.services.delivery.subscription_fields import Change, NewSubscription
from hazecast.services.scheduling.states import JobState, RunState
from hazecast.services.web.schemas.accounts import AccountOut, KeyOut, SelfOut
from hazecast.services.web.schemas.drafts import AuditedDraftOut, DraftOut
from hazecast.services.web.schemas.own_cities import AdministeredCityOut, CityDetailOut
from hazecast.services.web.schemas.subscriptions import (
    CreatedOut,
    DeliveryOut,
    ReplayedOut,
    SecretOut,
    SubscriptionOut,
    TestOut,
    WaitingOut,
)


class AsyncAccount(AsyncConnection):
    """What a key opens."""

    async def me(self) -> SelfOut:
        """Return the account and the key that ask."""
        return await self._send(asks.me())

    async def keys(self) -> list[KeyOut]:
        """Return the account's keys, the newest first."""
        return [item async for page in self._pages(asks.keys()) for item in page.items]

    async def accounts(self) -> list[AccountOut]:
        """Return all accounts by id; for administrators."""
        return [item async for page in self._pages(asks.accounts()) for item in page.items]

    async def account(self, account_id: str) -> AccountOut:
        """Return one account; for administrators."""
        return await self._send(asks.account(account_id))

    async def account_keys(self, account_id: str) -> list[KeyOut]:
        """Return an account's keys, the newest first; for administrators."""
        return [item async for page in self._pages(asks.account_keys(account_id)) for item in page.items]

    async def administered_cities(self, **query: Unpack[AdministeredQuery]) -> AsyncIterator[AdministeredCityOut]:
        """Yield the cities with where they are entered and what the service has of them; for administrators."""
        async for page in self._pages(asks.administered_cities(query)):
            for item in page.items:
                yield item

    async def administered_city(self, city: str) -> CityDetailOut:
        """Return one city with its area and what was done with it; for administrators."""
        return await self._send(asks.administered_city(city))

    async def jobs(self) -> list[JobState]:
        """Return the scheduled jobs: when each is due next, and how it last ended."""
        return [item async for page in self._pages(asks.jobs()) for item in page.items]

    async def job_runs(self, name: str, **query: Unpack[PageQuery]) -> AsyncIterator[RunState]:
        """Yield the runs of a job, newest first, page by page.

        Parameters
        ----------
        name : str
        **query : PageQuery

        Yields
        ------
        RunState
        """
        async for page in self._pages(asks.job_runs(name, query)):
            for item in page.items:
                yield item

    async def drafts(self, **query: Unpack[DraftsQuery]) -> AsyncIterator[DraftOut]:
        """Yield the messages that wait for a person, those of the newest run first, page by page."""
        async for page in self._pages(asks.drafts(query)):
            for item in page.items:
                yield item

    async def draft(self, draft_id: str, *, simulated: bool = False) -> AuditedDraftOut:
        """Return one draft with its texts and its history.

        Parameters
        ----------
        draft_id : str
        simulated : bool

        Returns
        -------
        AuditedDraftOut
        """
        return await self._send(asks.draft(draft_id, {"simulated": simulated}))

    async def subscriptions(self) -> list[SubscriptionOut]:
        """Return the account's subscriptions, oldest first."""
        return [item async for page in self._pages(asks.subscriptions()) for item in page.items]

    async def subscription(self, subscription_id: str) -> SubscriptionOut:
        """Return one subscription."""
        return await self._send(asks.subscription(subscription_id))

    async def subscribe(self, new: NewSubscription) -> CreatedOut:
        """Subscribe; the answer holds a webhook's secret, this once."""
        return await self._send(asks.subscribe(new))

    async def change_subscription(self, subscription_id: str, change: Change) -> SubscriptionOut:
        """Change what is given of a subscription, also its state.

        Parameters
        ----------
        subscription_id : str
        change : Change

        Returns
        -------
        SubscriptionOut
        """
        return await self._send(asks.change_subscription(subscription_id, change))

    async def delete_subscription(self, subscription_id: str) -> None:
        """Delete a subscription with its history."""
        await self._send(asks.delete_subscription(subscription_id))

    async def rotate_secret(self, subscription_id: str) -> SecretOut:
        """Make a webhook's secret anew."""
        return await self._send(asks.rotate_secret(subscription_id))

    async def test_subscription(self, subscription_id: str) -> TestOut:
        """Send a test message."""
        return await self._send(asks.test_subscription(subscription_id))

    async def send_now(self, subscription_id: str) -> WaitingOut:
        """Send what waits of a subscription now, after its receiver is repaired."""
        return await self._send(asks.send_now(subscription_id))

    async def subscription_events(self, subscription_id: str, after: int | None = None) -> AsyncIterator[OwnEvent]:
        """Yield the messages of a subscription as they come, without end; a lost connection is made anew where it ended.

        A `ServerError` is raised where the server refuses, as after the key was revoked, or can't be reached.

        Parameters
        ----------
        subscription_id : str
        after : int or None
            `position` of the last message that was seen; by default it begins with the first that is stored.

        Yields
        ------
        OwnEvent
        """
        async for raw in self._listen(own_path(subscription_id), after):
            yield own_event(raw)

    async def deliveries(self, subscription_id: str, **query: Unpack[DeliveriesQuery]) -> AsyncIterator[DeliveryOut]:
        """Yield the messages to a subscription, newest first, page by page.

        Parameters
        ----------
        subscription_id : str
        **query : DeliveriesQuery

        Yields
        ------
        DeliveryOut
        """
        async for page in self._pages(asks.deliveries(subscription_id, query)):
            for item in page.items:
                yield item

    async def dead_letters(self, **query: Unpack[PageQuery]) -> AsyncIterator[DeliveryOut]:
        """Yield what could not be delivered, newest first, page by page."""
        async for page in self._pages(asks.dead_letters(query)):
            for item in page.items:
                yield item

    async def delivery(self, delivery_id: str) -> DeliveryOut:
        """Return one delivery."""
        return await self._send(asks.delivery(delivery_id))

    async def replay(self, delivery_id: str) -> ReplayedOut:
        """Send a finished delivery again."""
        return await self._send(asks.replay(delivery_id))

    async def replay_dead(self, subscription_id: str) -> ReplayedOut:
        """Send all dead letters of a subscription again."""
        return await self._send(asks.replay_dead(subscription_id))
