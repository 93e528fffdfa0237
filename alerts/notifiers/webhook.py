"""Webhooks: Alertmanager's body, signed, sent only to addresses that were checked."""

import hashlib
import hmac
from base64 import b64encode
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx
import msgspec

from alerts.notifiers.contract import OK, Delivery
from core.addresses import EVERYWHERE, AddressRefusedError, Network, resolve

RETRYABLE_STATUS = {408, 425, 429}
PORTS = {"http": 80, "https": 443}


class WebhookNotifier:
    """POSTs to one URL. Follows no redirect and uses no proxy: both would bypass the check of the address."""

    def __init__(
        self, url: str, *, secret: str | None = None, allow_private: bool = False, timeout_seconds: float = 10
    ) -> None:
        self._url = urlsplit(url)
        self._secret = secret.encode() if secret else None
        self._allowed: tuple[Network, ...] = EVERYWHERE if allow_private else ()
        self._client = httpx.Client(timeout=timeout_seconds, follow_redirects=False, trust_env=False)

    def send(self, payload: dict[str, Any], delivery_id: str) -> Delivery:
        host = self._url.hostname
        if self._url.scheme not in PORTS or not host:
            return Delivery("permanent", "not an http or https URL")
        port = self._url.port or PORTS[self._url.scheme]
        try:
            address = resolve(host, port, allowed=self._allowed)[0]
            return self._post(host, address, port, msgspec.json.encode(payload), delivery_id)
        except AddressRefusedError as error:
            return Delivery("permanent", f"{error}; set alerts.allow_private_addresses to allow it")
        except OSError as error:
            return Delivery("retryable", f"cannot resolve {host}: {error.strerror or error}")
        except httpx.HTTPError as error:
            return Delivery("retryable", type(error).__name__)

    def close(self) -> None:
        self._client.close()

    def _post(self, host: str, address: str, port: int, body: bytes, delivery_id: str) -> Delivery:
        literal = f"[{address}]" if ":" in address else address
        url = urlunsplit(self._url._replace(netloc=f"{literal}:{port}", fragment=""))
        request = self._client.build_request(
            "POST",
            url,
            content=body,
            headers=self._headers(host, body, delivery_id),
            extensions={"sni_hostname": host},  # TLS is checked against the name, not the address
        )
        response = self._client.send(request, stream=True)
        response.close()  # the status says it all: the body is never read, however long it is
        return _verdict(response.status_code)

    def _headers(self, host: str, body: bytes, delivery_id: str) -> dict[str, str]:
        headers = {
            "Host": host if self._url.port is None else f"{host}:{self._url.port}",
            "Content-Type": "application/json",
            "User-Agent": "opinion-pipeline",
            "X-Opinion-Delivery": delivery_id,
        }
        if self._url.username:
            credentials = f"{unquote(self._url.username)}:{unquote(self._url.password or '')}"
            headers["Authorization"] = f"Basic {b64encode(credentials.encode()).decode()}"
        if self._secret is not None:
            headers["X-Opinion-Signature"] = f"sha256={sign(self._secret, body)}"
        return headers


def sign(secret: bytes, body: bytes) -> str:
    """HMAC-SHA256 of the exact bytes of the body, in hex; receivers compute the same to know the sender."""
    return hmac.new(secret, body, hashlib.sha256).hexdigest()


def _verdict(status: int) -> Delivery:
    if 200 <= status < 300:
        return OK
    if status >= 500 or status in RETRYABLE_STATUS:
        return Delivery("retryable", f"HTTP {status}")
    return Delivery("permanent", f"HTTP {status}" + (" (redirects are not followed)" if 300 <= status < 400 else ""))
