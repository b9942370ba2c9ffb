"""A draft as it would go out, were it decided now: mail, CAP and page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter, Request

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.texts import LANGUAGES
from hazecast.grids.errors import InputError
from hazecast.services.delivery.channel import Message
from hazecast.services.delivery.mail import MailChannel
from hazecast.services.store.draft_preview import message_of
from hazecast.services.store.tables.delivery import Subscription
from hazecast.services.web.dependencies import Given, Service
from hazecast.services.web.page.warning_page import warning_article
from hazecast.services.web.problems import Refusal
from hazecast.services.web.routes.common import CONFLICT, DENIED, INVALID, NOT_FOUND
from hazecast.services.web.routes.drafts import DraftId, Reader, Simulated, changes_of, texts_of
from hazecast.services.web.routes.warnings import unsigned_cap
from hazecast.services.web.schemas.drafts import ChangeIn, MailOut, PageOut, PreviewOut

# Reserved for examples (RFC 2606): nobody's address.
_NOBODY = "subscriber@example.org"

router = APIRouter(prefix="/drafts", tags=["drafts"])


@router.post("/{draft_id}/preview", responses=DENIED | NOT_FOUND | CONFLICT | INVALID)
def preview(
    service: Given, request: Request, draft_id: DraftId, given: ChangeIn, who: Reader, simulated: Simulated = False
) -> PreviewOut:
    """Show a draft, with changes or without, as it would go out now. Nothing is stored, sent or signed."""
    now = service.clock()
    try:
        changes = changes_of(service, draft_id, given, simulated, who.name)
        message = message_of(service.store.sessions, service.book, draft_id, simulated, by=who.name, at=now, **changes)
    except InputError as error:
        raise Refusal(error) from error
    return PreviewOut(
        texts=texts_of(service, message),
        mail=_mail(service, message, now),
        cap=unsigned_cap(service, message, request).decode(),
        pages=[
            PageOut(
                language=language,
                html=warning_article(message, language, service.store, service.registry, service.book, now),
            )
            for language in LANGUAGES
        ],
    )


def _mail(service: Service, message: HazeWarning, now: datetime) -> MailOut:
    channel = MailChannel(service.store, service.settings, service.registry, service.book, pictures=False)
    event = Message(
        id="preview", event_id=message.id, type=f"warning.{message.kind}", occurred_at=message.issued,
        simulated=message.simulated, batch="preview", content=message.model_dump(mode="json"), body="",
    )  # fmt: skip
    zone = service.registry.city(message.city).time_zone
    mail = channel.compose(_subscriber(LANGUAGES, zone), [event], now)
    body = mail.get_body(("plain",))
    assert body is not None
    return MailOut(subject=str(mail["Subject"]), text=body.get_content(), message=mail.as_string())


def _subscriber(languages: Sequence[str], zone: str) -> Subscription:
    """Return a subscription that is in no store: its links lead nowhere."""
    return Subscription(
        id="preview", name="…", channel="email", target=_NOBODY, languages=list(languages), cities=[], regions=[],
        formats=[], code="preview", time_zone=zone,
    )  # fmt: skip
