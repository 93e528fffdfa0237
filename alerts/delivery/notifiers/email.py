"""E-mail over SMTP: one incident is one thread, in text and HTML, with its picture."""

import smtplib
import socket
import ssl
import threading
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Any
from urllib.parse import unquote, urlsplit

from alerts.delivery.notifiers.contract import OK, Delivery
from core.clock import Clock

PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}


class EmailNotifier:
    """Hands messages to one mail server.

    `smtp://` insists on STARTTLS, `smtps://` speaks TLS from the start, `smtp+plain://` neither. User and password
    stand in the URL. The address of the server is not checked: mail servers are in the private network as a rule, and
    what speaks SMTP there expects mail.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        sender: str,
        to: Sequence[str],
        timeout_seconds: float = 10,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Args:
        tls: what is trusted; the system's authorities if absent.
        """
        self._url = urlsplit(url)
        self._clock = clock
        self._sender = sender
        self._to = to
        self._timeout = timeout_seconds
        self._tls = tls or ssl.create_default_context()

    def send(self, payload: dict[str, Any], delivery_id: str) -> Delivery:
        """5xx of the server is final, 4xx and broken connections are tried again. The reason holds the server's code
        and none of its words: they may repeat addresses."""
        message = self.message(payload, delivery_id)
        try:
            with self._server() as server:
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            return _by_code(max(code for code, _ in error.recipients.values()), "all recipients refused")
        except smtplib.SMTPResponseException as error:
            return _by_code(error.smtp_code, type(error).__name__)
        except smtplib.SMTPNotSupportedError:
            return Delivery("permanent", "the server offers no STARTTLS or no login; see the scheme of `url`")
        except (smtplib.SMTPException, OSError) as error:
            return Delivery("retryable", type(error).__name__)
        return OK

    def close(self) -> None:
        """Nothing is kept open."""

    def message(self, payload: dict[str, Any], delivery_id: str) -> EmailMessage:
        """`payload`: as `alerts.rendering.email` makes it. Every message of an incident refers to the same root, so
        that mail clients keep them together; its own id is the same over retries."""
        domain = parseaddr(self._sender)[1].rpartition("@")[2]
        threads = [f"<{thread}@{domain}>" for thread in payload["threads"]]
        made = EmailMessage(policy=SMTP)
        made["From"] = self._sender
        made["To"] = ", ".join(self._to)
        made["Subject"] = payload["subject"]
        made["Date"] = format_datetime(self._clock.now())
        made["Message-ID"] = f"<{delivery_id}@{domain}>"
        made["In-Reply-To"] = threads[0]
        made["References"] = " ".join(threads)
        made["Auto-Submitted"] = "auto-generated"
        made.set_content(payload["text"])
        made.add_alternative(payload["html"], subtype="html")
        if picture := payload.get("picture"):
            part = list(made.iter_parts())[1]
            part.add_related(b64decode(picture), "image", "png", cid="<chart>", filename="chart.png")
        return made

    @contextmanager
    def _server(self) -> Iterator[smtplib.SMTP]:
        host = self._url.hostname or ""
        port = self._url.port or PORTS[self._url.scheme]
        made: smtplib.SMTP = (
            smtplib.SMTP_SSL(host, port, timeout=self._timeout, context=self._tls)
            if self._url.scheme == "smtps"
            else smtplib.SMTP(host, port, timeout=self._timeout)
        )
        # The timeout is for each read; this is for them all.
        watch = threading.Timer(3 * self._timeout, _cut, [made])
        watch.daemon = True
        watch.start()
        try:
            with made:
                if self._url.scheme == "smtp":
                    made.starttls(context=self._tls)
                if self._url.username:
                    made.login(unquote(self._url.username), unquote(self._url.password or ""))
                yield made
        finally:
            watch.cancel()


def _cut(server: smtplib.SMTP) -> None:
    with suppress(OSError, AttributeError):
        server.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]


def _by_code(code: int, what: str) -> Delivery:
    return Delivery("permanent" if code >= 500 else "retryable", f"SMTP {code} ({what})")
