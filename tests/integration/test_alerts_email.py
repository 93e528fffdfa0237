"""Mail on a real SMTP server: STARTTLS, login, threads, pictures, and servers that refuse."""

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from alerts.delivery.notifiers.email import EmailNotifier
from alerts.rendering.contract import RenderOptions
from alerts.rendering.renderers import render
from alerts.routing.grouping import Message
from core.clock import MovableClock
from tests.unit.alerts.test_rendering import surge

CLOCK = MovableClock(datetime(2026, 3, 10, 13, 0, tzinfo=UTC))
OPTIONS = RenderOptions("mail", "https://console.example")
PNG = b"\x89PNG\r\n\x1a\n"


class Mailbox:
    """Keeps what it is given; answers the recipients and the data as told."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.rcpt_to: list[list[str]] = []
        self.refused: dict[str, str] = {}
        self.answer = "250 kept"

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self.refused.get(address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.mails.append(message_from_bytes(envelope.content, policy=default))  # type: ignore[arg-type]
            self.rcpt_to.append(envelope.rcpt_tos)
        return self.answer


@contextmanager
def serving(mailbox: Mailbox, **options: Any) -> Iterator[int]:
    """The port of a mail server."""
    with socket.socket() as probe:  # the controller looks for itself at the port it is given, so 0 will not do
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = Controller(mailbox, hostname="127.0.0.1", port=port, **options)
    server.start()
    try:
        yield port
    finally:
        server.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate")
    path = tmp_path_factory.mktemp("tls") / "mail.key"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", path, "-out", path.with_suffix(".crt"),
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"],
        check=True, capture_output=True,
    )  # fmt: skip
    return path.with_suffix(".crt")


def mailer(url: str, to: list[str] | None = None, **options: Any) -> EmailNotifier:
    return EmailNotifier(url, CLOCK, sender="舆情 <alerts@opinion.example>", to=to or ["ops@a.example"], **options)


def payload(status: str = "firing", text: str = "刹车失灵", picture: bytes | None = None) -> dict[str, Any]:
    ended = {"status": "resolved", "ends_at": CLOCK.now()} if status == "resolved" else {}
    message, evidence = surge(text, **ended)
    return render("email", message, evidence, RenderOptions("mail", OPTIONS.console_url, picture=picture))


def test_mail_goes_over_starttls_with_a_login(certificate: Path) -> None:
    """The server sees no password before TLS, and the message arrives in text, HTML and with its picture."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate, certificate.with_suffix(".key"))
    logins: list[tuple[bytes, bytes]] = []

    def authenticator(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"p@ss", handled=False)

    options = {"tls_context": server_side, "require_starttls": True, "authenticator": authenticator}
    trusted = ssl.create_default_context(cafile=str(certificate))
    mailbox = Mailbox()
    with serving(mailbox, auth_required=True, **options) as port:
        notifier = mailer(f"smtp://user:p%40ss@localhost:{port}", tls=trusted)
        assert notifier.send(payload(text="刹车 <失灵>", picture=PNG), "d1").outcome == "ok"
        wrong = mailer(f"smtp://user:no@localhost:{port}", tls=trusted).send(payload(), "d2")
        assert (wrong.outcome, wrong.reason) == ("permanent", "SMTP 535 (SMTPAuthenticationError)")
        stranger = mailer(f"smtp://user:p%40ss@localhost:{port}").send(payload(), "d3")
        assert (stranger.outcome, stranger.reason) == ("retryable", "SSLCertVerificationError")
    assert logins[0] == (b"user", b"p@ss")
    [mail] = mailbox.mails
    assert mail["Subject"].startswith("【警告】负面舆情激增：")
    assert mail["Message-ID"] == "<d1@opinion.example>"
    body, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert body is not None
    assert page is not None
    assert "“刹车 <失灵>” — weibo" in body.get_content()
    assert "刹车 &lt;失灵&gt;" in page.get_content()
    [picture] = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert picture["Content-ID"] == "<chart>"
    assert picture.get_content() == PNG


def test_one_incident_is_one_thread() -> None:
    """Its messages refer to one root, also when another member leads at the end; retries have the same id."""
    mailbox = Mailbox()
    with serving(mailbox) as port:
        notifier = mailer(f"smtp+plain://127.0.0.1:{port}")
        for delivery, status in (("d1", "firing"), ("d1", "firing"), ("d2", "resolved")):
            assert notifier.send(payload(status), delivery).outcome == "ok"
    first, again, end = mailbox.mails
    assert first["References"] == end["References"] == end["In-Reply-To"]
    assert first["Message-ID"] == again["Message-ID"] != end["Message-ID"]


def test_the_root_of_a_thread_is_found_through_any_member() -> None:
    """References name every member, so that clients join what began under another lead."""
    lead, other = surge()[0].members[0], surge(source="forum")[0].members[0]
    both = Message("resolved", [other, lead])
    one = mailer("smtp://h").message(render("email", Message("firing", [lead]), {}, OPTIONS), "d1")
    two = mailer("smtp://h").message(render("email", both, {}, OPTIONS), "d2")
    assert set(one["References"].split()) & set(two["References"].split())


@pytest.mark.parametrize(
    ("answer", "outcome"), [("451 later", "retryable"), ("554 spam", "permanent"), ("421 closing", "retryable")]
)
def test_answers_of_the_server_decide(answer: str, outcome: str) -> None:
    """4xx is tried again, 5xx is final; the reason has the code and none of the server's words."""
    mailbox = Mailbox()
    mailbox.answer = answer
    with serving(mailbox) as port:
        told = mailer(f"smtp+plain://127.0.0.1:{port}").send(payload(), "d1")
    assert told.outcome == outcome
    assert answer[:3] in told.reason
    assert answer[4:] not in told.reason


def test_one_refused_recipient_does_not_keep_it_from_the_others() -> None:
    """Sending it again would tell the others twice; when all are refused it did not arrive."""
    mailbox = Mailbox()
    mailbox.refused = {"gone@a.example": "550 unknown"}
    with serving(mailbox) as port:
        some = mailer(f"smtp+plain://127.0.0.1:{port}", ["ops@a.example", "gone@a.example"])
        assert some.send(payload(), "d1").outcome == "ok"
        none = mailer(f"smtp+plain://127.0.0.1:{port}", ["gone@a.example"])
        assert none.send(payload(), "d2").outcome == "permanent"
    assert mailbox.rcpt_to == [["ops@a.example"]]


def test_a_server_without_tls_gets_no_mail_unless_told_so() -> None:
    """`smtp://` insists: whoever strips STARTTLS on the way gets neither password nor text."""
    mailbox = Mailbox()
    with serving(mailbox) as port:
        told = mailer(f"smtp://user:geheim@127.0.0.1:{port}").send(payload(), "d1")
    assert told.outcome == "permanent"
    assert "STARTTLS" in told.reason
    assert mailbox.mails == []


def test_a_server_that_is_away_is_tried_again() -> None:
    """Nothing listens there."""
    with serving(Mailbox()) as port:
        pass
    assert mailer(f"smtp+plain://127.0.0.1:{port}", timeout_seconds=2).send(payload(), "d1").outcome == "retryable"


def test_crawled_text_cannot_add_headers() -> None:
    """Line breaks in a topic or a source stay text."""
    message, evidence = surge(source="x\r\nBcc: evil@example.org\r\n\r\nbody")
    made = mailer("smtp://h").message(render("email", message, evidence, OPTIONS), "d1")
    assert made["Bcc"] is None
    assert "\nBcc:" not in made.as_string().partition("\n\n")[0]
    assert timedelta(0) == made["Date"].datetime - CLOCK.now()
