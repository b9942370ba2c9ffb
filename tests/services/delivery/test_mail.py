"""E-mail through a real SMTP server: what arrives, and what is refused."""

from __future__ import annotations

import email
import io
import json
import re
import ssl
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from html import unescape
from types import SimpleNamespace

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from PIL import Image
from sqlalchemy import select

from hazecast.alerts.messages.warning_texts import compose
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.errors import InputError, MissingExtraError
from hazecast.services.accounts.accounts import add_account
from hazecast.services.core.settings import Settings
from hazecast.services.delivery.channel import Message
from hazecast.services.delivery.content import confirmation_url
from hazecast.services.delivery.dispatcher import Dispatcher
from hazecast.services.delivery.mail import MailChannel, texts
from hazecast.services.delivery.service import make_dispatcher
from hazecast.services.delivery.subscription_fields import NewSubscription
from hazecast.services.delivery.subscriptions import Subscriptions
from hazecast.services.store.outbox import record_addressed
from hazecast.services.store.store import Store
from hazecast.services.store.tables.delivery import Delivery
from hazecast.services.work.cycle import run_cycle
from tests.support.certificates import certificate
from tests.support.delivery_world import REGISTRY, Clock, World, message
from tests.support.receivers import free_port
from tests.support.settings import make_settings

INIT = datetime(2026, 1, 15, 22, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n"


class Postbox:
    """An SMTP server's handler: keeps what it gets, and refuses on demand."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.at_recipient = self.at_data = ""

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if self.at_recipient:
            return self.at_recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if self.at_data:
            return self.at_data
        self.raw.append(envelope.content)
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 OK"


@pytest.fixture
def postbox():
    box = Postbox()
    box.port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=box.port, ready_timeout=30.0)
    controller.start()
    yield box
    controller.stop()


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """A store that a simulated cycle filled."""
    folder = tmp_path_factory.mktemp("mail")
    run_cycle(Settings(data_dir=folder), init_time=INIT, cities=("beijing", "tianjin", "shijiazhuang", "baoding"))
    store = Store(Settings(data_dir=folder).database_url)
    add_account(store.sessions, "tianjin", name="tianjin", role="subscriber", at=INIT)
    store.close()
    return folder


def settings_for(folder, postbox, **given) -> Settings:
    return make_settings(
        **{
            "data_dir": folder, "smtp_host": "127.0.0.1", "smtp_port": postbox.port, "smtp_tls": "none",
            "public_url": "https://haze.bureau.example", "mail_from": "haze@bureau.example", "sender_name": "北京市",
        } | given
    )  # fmt: skip


def subscribed(world_settings: Settings, **given):
    store = Store(world_settings.database_url)
    wanted = {"name": "值班", "channel": "email", "target": "duty@bureau.example", "simulated": True} | given
    row = Subscriptions(store.sessions, world_settings, REGISTRY, RuleBook.shipped()).create(
        "tianjin", NewSubscription(**wanted), datetime.now(UTC) - timedelta(seconds=5), confirmed=True
    )
    return store, row


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return body.get_content()


def test_a_run_s_warnings_come_as_one_mail_with_the_map_inside(simulated, postbox) -> None:
    settings = settings_for(simulated, postbox)
    store, row = subscribed(settings, languages=["zh", "en"], rule_sets=["cma_haze"])
    # Events from before the subscription are not sent: route the run's events again.
    from hazecast.services.store.tables.delivery import OutboxEvent

    with store.sessions.begin() as session:
        for event in session.scalars(select(OutboxEvent)):
            event.routed_at = None
    dispatcher = make_dispatcher(store, settings)
    dispatcher.prepare()
    assert dispatcher.serve(row.id) >= 3
    (mail,) = postbox.mails
    with store.sessions() as session:
        ids = list(session.scalars(select(Delivery.id).where(Delivery.subscription_id == row.id)))
    assert [line.split()[0] for line in mail.get_all("X-Hazecast-Message")] == ids
    assert mail["From"].addresses[0].display_name == "北京市" and mail["To"] == "duty@bureau.example"
    assert "演练" in mail["Subject"] and f"另有{len(ids) - 1}条" in mail["Subject"]
    assert mail["Auto-Submitted"] == "auto-generated" and mail["Message-ID"] == f"<{ids[0]}@bureau.example>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    leave = f"https://haze.bureau.example/v1/subscriptions/{row.id}/unsubscribe?code={row.code}"
    assert mail["List-Unsubscribe"] == f"<{leave}>"
    text, html = part(mail, "plain"), part(mail, "html")
    for content in (text, html):
        assert "北京" in content and "Beijing" in content and "haze warning" in content
        assert ".simulated.cap" in content and "研究性预报" in content
        # The details are for people, in the language of what is beside them.
        assert "/warnings/" in content and ".simulated?lang=zh" in content and ".simulated?lang=en" in content
    assert leave in text and 'lang="zh-CN"' in html and 'lang="en"' in html
    pictures = [p for p in mail.walk() if p.get_content_type() == "image/png"]
    assert len(pictures) == 1 and f"cid:{pictures[0]['Content-ID'].strip('<>')}" in html
    assert Image.open(io.BytesIO(pictures[0].get_content())).width == 720
    second = html.index("<h1", html.index("<h1") + 1)
    assert html.index("CAP") < html.index("<img") < second, (
        "the map stands below the gravest warning, not after all of them"
    )
    # Sent again it would be the same mail to a mail program.
    assert max(len(line) for line in postbox.raw[0].split(b"\r\n")) <= 998
    store.close()


def test_confirmation_test_and_forecast_have_words_of_their_own(tmp_path, postbox) -> None:
    world = World(tmp_path)
    channel = MailChannel(world.store, settings_for(tmp_path, postbox), REGISTRY, RuleBook.shipped())
    row = world.subscribe(name="<b>当直</b> & co", languages=["ja", "en"])
    row.target = "duty@bureau.example"

    def sent(kind: str, content: dict) -> EmailMessage:
        item = Message(f"msg_{kind}", "event", kind, INIT, False, "batch", content, "{}")
        assert channel.send(row, [item], INIT).kind == "delivered"
        return postbox.mails[-1]

    asked = sent("subscription.confirmation", {})
    assert "確認" in asked["Subject"] and asked["List-Unsubscribe"] is None
    assert f"/v1/subscriptions/{row.id}/confirm?code={row.code}" in part(asked, "plain")
    # Nothing that the subscriber wrote reaches who has not confirmed, and no link but that one.
    assert "当直" not in postbox.raw[-1].decode() + part(asked, "html") + part(asked, "plain") + asked["Subject"]
    assert set(re.findall(r"https?://[^\s\"<]+", part(asked, "plain"))) == {
        confirmation_url("https://haze.bureau.example", row)
    }
    assert set(re.findall(r'(?:href|src)="([^"]+)', part(asked, "html"))) == {
        confirmation_url("https://haze.bureau.example", row)
    }
    tried = sent("subscription.test", {})
    assert "試験" in tried["Subject"]
    assert "&lt;b&gt;当直&lt;/b&gt; &amp; co" in part(tried, "html") and "<b>当直</b> & co" in part(tried, "plain")
    news = sent("forecast.updated", {"init_time": "2026-01-15T22:00:00+00:00", "degraded": True})
    assert "2026年1月16日" in news["Subject"] and "22:00" not in news["Subject"], "the subscription's own time"
    assert "quality is reduced" in part(news, "plain")
    warning = message("beijing", INIT)
    gone = sent("warning.withdrawn", json.loads(warning.model_dump_json()))
    assert gone["Subject"].startswith("取り消し") and "do not use it" in part(gone, "html")
    world.close()


def test_the_gravest_comes_first_in_subject_and_body(tmp_path, postbox) -> None:
    world = World(tmp_path)
    channel = MailChannel(world.store, settings_for(tmp_path, postbox), REGISTRY, RuleBook.shipped())
    row = world.subscribe(languages=["en"])
    row.target = "duty@bureau.example"
    before = message("tianjin", INIT - timedelta(hours=12), level="red")
    warnings = [
        message("baoding", INIT, level="yellow"),
        message("tianjin", INIT, level="red", kind="lift", references=(before.id,)),
        message("fukuoka", INIT, level="alert", rule_set="jp_pm25"),
        message("beijing", INIT, level="red"),
        message("shijiazhuang", INIT, level="orange"),
    ]
    items = [
        Message(f"msg_{n}", "event", f"warning.{w.kind}", INIT, False, "batch", json.loads(w.model_dump_json()), "{}")
        for n, w in enumerate(warnings)
    ]
    mail = channel.compose(row, items, INIT)
    assert "Red" in mail["Subject"] and "Beijing" in mail["Subject"] and "4 more" in mail["Subject"]
    assert mail["Message-ID"] == "<msg_0@bureau.example>", "the same whatever the order"
    for content in (part(mail, "plain"), part(mail, "html")):
        places = [content.index(name) for name in ("Beijing", "Shijiazhuang", "Baoding", "Tianjin")]
        assert places == sorted(places), "what ends a warning comes after what warns"
    world.close()


@pytest.mark.parametrize(
    ("language", "above"), [("zh", "同上文“{}”"), ("ja", "上記「{}」と同じです"), ("en", "as for “{}” above")]
)
def test_the_same_advice_is_said_once(tmp_path, postbox, language, above) -> None:
    world, book = World(tmp_path), RuleBook.shipped()
    channel = MailChannel(world.store, settings_for(tmp_path, postbox), REGISTRY, book)
    row = world.subscribe(languages=[language])
    row.target = "duty@bureau.example"
    warnings = [message(city, INIT, level="red") for city in ("beijing", "tianjin", "baoding")]
    warnings.append(message("shijiazhuang", INIT, level="orange"))
    items = [
        Message(f"msg_{n}", "event", f"warning.{w.kind}", INIT, False, "batch", json.loads(w.model_dump_json()), "{}")
        for n, w in enumerate(warnings)
    ]
    texts_of = [compose(w, book.rule_set(w.rule_set), REGISTRY.city(w.city), language) for w in warnings]
    mail = channel.compose(row, items, INIT)
    for content in (part(mail, "plain"), unescape(part(mail, "html"))):
        # The grave advice stands with the first of the three, that of the lower level by itself.
        for text in (texts_of[0], texts_of[3]):
            assert [content.count(line) for line in text.instruction.split("\n")] == [1] * len(text.advice)
        assert content.count(above.format(texts_of[0].headline)) == 2
        places = [content.index(t.headline) for t in texts_of]
        said = content.index(texts_of[0].instruction.split("\n")[0])
        assert places[0] < said < places[1] and all(t.description in content for t in texts_of)
    world.close()


def test_every_language_says_the_same_things() -> None:
    assert texts("zh").keys() == texts("ja").keys() == texts("en").keys()
    for name in texts("en"):
        fields = [set(part.split("}")[0] for part in texts(known)[name].split("{")[1:]) for known in ("zh", "ja", "en")]
        assert fields[0] == fields[1] == fields[2], name
    with pytest.raises(InputError, match="fr"):
        texts("fr")


@pytest.mark.parametrize(
    "target",
    [
        "duty@bureau.example\r\nBcc: all@bureau.example", "duty@bureau.example\nX: y", "duty@bureau.example,all@x.example",
        "duty", "@bureau.example", "duty@", "duty@localhost", "duty@[127.0.0.1]", '"a b"@bureau.example',
        "<duty@bureau.example>", "duty@bureau.example>", "du ty@bureau.example", "",
    ],
)  # fmt: skip
def test_no_address_breaks_a_header(tmp_path, postbox, target) -> None:
    world = World(tmp_path)
    settings = settings_for(tmp_path, postbox)
    subscriptions = Subscriptions(world.store.sessions, settings, REGISTRY, RuleBook.shipped())
    with pytest.raises(InputError, match="target"):
        subscriptions.create("tianjin", NewSubscription(name="x", channel="email", target=target), INIT)
    row = world.subscribe()
    row.name, row.target = "duty\u2028desk", target
    item = Message("msg_1", "event", "subscription.test", INIT, False, "batch", {}, "{}")
    # Even if one were in the store, it would add no line to the head of a mail.
    try:
        mail = MailChannel(world.store, settings, REGISTRY, RuleBook.shipped()).compose(row, [item], INIT)
    except ValueError:
        pass
    else:
        assert not set("\r\n") & set(target) and "Bcc" not in mail and len(mail["To"].addresses) == 1
    world.close()


@pytest.mark.parametrize(
    ("at_recipient", "at_data", "kind", "status"),
    [
        ("550 no such user", "", "refused", 550),
        ("450 try later", "", "failed", 450),
        ("", "554 not wanted", "refused", 554),
        ("", "451 later", "failed", 451),
        ("", "", "delivered", 250),
    ],
)
def test_refusals_are_understood(tmp_path, postbox, at_recipient, at_data, kind, status) -> None:
    world = World(tmp_path)
    postbox.at_recipient, postbox.at_data = at_recipient, at_data
    row = world.subscribe()
    row.target = "duty@bureau.example"
    item = Message("msg_1", "event", "subscription.test", INIT, False, "batch", {}, "{}")
    channel = MailChannel(world.store, settings_for(tmp_path, postbox), REGISTRY, RuleBook.shipped())
    outcome = channel.send(row, [item], INIT)
    assert (outcome.kind, outcome.status) == (kind, status)
    world.close()


def test_an_absent_server_is_tried_again(tmp_path) -> None:
    world = World(tmp_path)
    nobody = SimpleNamespace(port=9)
    row = world.subscribe()
    row.target = "duty@bureau.example"
    item = Message("msg_1", "event", "subscription.test", INIT, False, "batch", {}, "{}")
    outcome = MailChannel(world.store, settings_for(tmp_path, nobody), REGISTRY, RuleBook.shipped()).send(
        row, [item], INIT
    )
    assert outcome.kind == "failed" and "refused" in str(outcome.error).lower()
    world.close()


def test_tls_and_password_or_nothing(tmp_path) -> None:
    world = World(tmp_path)
    chain, key = certificate(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    box, asked = Postbox(), []
    box.port = free_port()

    def check(server, session, envelope, mechanism, data):
        asked.append((data.login, data.password))
        return AuthResult(success=data.password == b"right", handled=False)

    controller = Controller(
        box, hostname="127.0.0.1", port=box.port, ready_timeout=30.0, tls_context=context, require_starttls=True,
        authenticator=check, auth_required=True,
    )  # fmt: skip
    controller.start()
    row = world.subscribe()
    row.target = "duty@bureau.example"
    item = Message("msg_1", "event", "subscription.test", INIT, False, "batch", {}, "{}")

    def send(word: str, **given):
        settings = settings_for(
            tmp_path, box, **{"smtp_host": "localhost", "smtp_tls": "starttls", "smtp_user": "haze",
                              "smtp_password": word} | given
        )  # fmt: skip
        return MailChannel(world.store, settings, REGISTRY, RuleBook.shipped()).send(row, [item], INIT)

    try:
        assert send("right", smtp_ca_file=chain).kind == "delivered" and asked == [(b"haze", b"right")]
        wrong = send("wrong", smtp_ca_file=chain)
        assert wrong.kind == "failed" and "wrong" not in str(wrong.error)
        # A server that can't show who it is gets neither the password nor the mail.
        before = len(asked)
        strange = send("right")
        assert strange.kind == "failed" and "certificate" in str(strange.error).lower() and len(asked) == before
        assert len(box.mails) == 1
    finally:
        controller.stop()
    world.close()


class FakeEdition:
    """What a bulletin gives to a mail."""

    def __init__(self, cities, language) -> None:
        self.title, self.text = f"Bulletin {language}", f"text {language} {' '.join(cities)}"

    def mail(self):
        return b'<p>page</p><img src="cid:map@hazecast" alt="">', {"map@hazecast": PNG}

    def document(self, form):
        return SimpleNamespace(name=f"bulletin.{form}", media_type=f"application/{form}; x=y", content=form.encode())


def test_the_bulletin_is_the_mail_with_its_files(tmp_path, postbox) -> None:
    world = World(tmp_path)
    clock = Clock(datetime(2026, 1, 15, 21, 59, tzinfo=UTC))
    settings = settings_for(tmp_path, postbox)
    subscriptions = Subscriptions(world.store.sessions, settings, REGISTRY, RuleBook.shipped())
    row = subscriptions.create(
        "tianjin",
        NewSubscription(
            name="morning", channel="email", target="mayor@bureau.example", kinds=["bulletin"], bulletin_hour=7,
            cities=["tokyo"], languages=["ja", "en"], formats=["csv", "pdf"],
        ),
        clock(), confirmed=True,
    )  # fmt: skip
    asked = []

    def editions(cities, language, now):
        asked.append((tuple(cities), language, now))
        return FakeEdition(cities, language)

    channel = MailChannel(world.store, settings, REGISTRY, RuleBook.shipped(), editions)
    dispatcher = Dispatcher(
        world.store.sessions, REGISTRY, settings, {"email": channel}, lambda *_: "{}", clock=clock
    )  # fmt: skip
    # 07:00 in Tokyo is 22:00 UTC.
    assert row.time_zone == "Asia/Tokyo" and dispatcher.run_once() == 0
    clock.pass_(minutes=1)
    assert dispatcher.run_once() == 1 and dispatcher.run_once() == 0
    (mail,) = postbox.mails
    assert asked == [(("tokyo",), "ja", clock()), (("tokyo",), "en", clock())]
    assert mail["Subject"] == "Bulletin ja" and "text ja tokyo" in part(mail, "plain")
    assert "text en tokyo" in part(mail, "plain") and row.code in part(mail, "plain")
    assert "cid:map@hazecast" in part(mail, "html")
    attached = [(p.get_filename(), p.get_content_type()) for p in mail.iter_attachments()]
    assert attached == [("bulletin.pdf", "application/pdf"), ("bulletin.csv", "application/csv")] * 2
    clock.pass_(days=1)
    assert dispatcher.run_once() == 1 and len(postbox.mails) == 2
    world.close()


def test_a_file_whose_extra_is_missing_does_not_hold_the_bulletin_back(tmp_path, postbox, caplog) -> None:
    class WithoutPdf(FakeEdition):
        def document(self, form):
            if form == "pdf":
                raise MissingExtraError("typst", "pdf")
            return super().document(form)

    world = World(tmp_path)
    clock = Clock(datetime(2026, 1, 15, 21, 59, tzinfo=UTC))
    settings = settings_for(tmp_path, postbox)
    new = NewSubscription(
        name="morning", channel="email", target="mayor@bureau.example", kinds=["bulletin"], bulletin_hour=7,
        cities=["tokyo"], languages=["ja"], formats=["csv", "pdf"],
    )  # fmt: skip
    book = RuleBook.shipped()
    Subscriptions(world.store.sessions, settings, REGISTRY, book).create("tianjin", new, clock(), confirmed=True)
    channel = MailChannel(
        world.store, settings, REGISTRY, book, lambda cities, language, _: WithoutPdf(cities, language)
    )
    dispatcher = Dispatcher(
        world.store.sessions, REGISTRY, settings, {"email": channel}, lambda *_: "{}", clock=clock
    )  # fmt: skip
    dispatcher.run_once()
    clock.pass_(minutes=1)
    assert dispatcher.run_once() == 1
    (mail,) = postbox.mails
    assert [attached.get_filename() for attached in mail.iter_attachments()] == ["bulletin.csv"]
    assert "pip install 'hazecast[pdf]'" in caplog.text
    world.close()


def test_bulletins_are_due_once_a_day_and_not_in_arrears(tmp_path) -> None:
    world = World(tmp_path)
    row = world.subscribe(kinds=["bulletin"], cities=["beijing"], bulletin_hour=7, time_zone="Asia/Shanghai")
    first = world.dispatcher()
    for _ in range(5):
        world.clock.pass_(hours=6)
        first.run_once()
        world.dispatcher(1).run_once()
    days = [event.id.rsplit(".", 1)[-1] for event in world.events()]
    assert days == ["2026-01-16", "2026-01-17"] and len(world.ear.heard) == 2
    # Days without a service: of what was due, the newest, and that only while it is of today.
    world.clock.now = datetime(2026, 1, 20, 23, 30, tzinfo=UTC)
    first.run_once()
    world.clock.now = datetime(2026, 1, 23, 22, 0, tzinfo=UTC)
    first.run_once()
    assert [event.id.rsplit(".", 1)[-1] for event in world.events()] == [*days, "2026-01-21"]
    assert world.reload(row).next_bulletin_at == datetime(2026, 1, 23, 23, tzinfo=UTC)
    with world.store.sessions.begin() as session:
        assert (
            record_addressed(session, row.id, "bulletin.daily", f"bulletin.{row.id}.2026-01-21", world.clock(), {})
            is None
        )
    world.close()
