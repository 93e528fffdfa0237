"""钉钉 robots: a signed URL; what happened stands in the answer's body."""

import hashlib
import hmac
from base64 import b64encode
from datetime import timedelta
from typing import Any

import msgspec

from alerts.delivery.notifiers.answers import Codes
from alerts.delivery.notifiers.contract import Delivery
from alerts.delivery.notifiers.http import HttpSender
from core.clock import Clock

MUTED = timedelta(minutes=10)  # so long a robot that sent too fast is not heard
CODES = Codes(
    fields=("errcode",),
    throttled={130101: MUTED, 410100: MUTED},
    final={
        40035: "the message is not understood",
        300001: "there is no such robot; see `url`",
        310000: "refused by the robot's 安全设置: keyword, signature or IP list; see `secret`",
        400013: "the group is gone",
        400101: "there is no such robot; see `url`",
        400102: "the robot was switched off",
        400105: "the kind of message is not understood",
        400106: "there is no such robot; see `url`",
    },
)
"""open.dingtalk.com, 自定义机器人接入, 错误码."""


class DingtalkNotifier:
    """POSTs to one robot; its access token stands in the URL."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        secret: str | None = None,
        allow_private: bool = False,
        timeout_seconds: float = 10,
    ) -> None:
        self._http = HttpSender(url, allow_private=allow_private, timeout_seconds=timeout_seconds)
        self._secret = secret
        self._clock = clock

    def send(self, payload: dict[str, Any], delivery_id: str) -> Delivery:
        """The robot knows no delivery id: after a crash in mid-delivery a message may come twice."""
        query = {}
        if self._secret is not None:
            timestamp = int(self._clock.now().timestamp() * 1000)
            query = {"timestamp": str(timestamp), "sign": sign(self._secret, timestamp)}
        return CODES.verdict(self._http.post(msgspec.json.encode(payload), {}, query=query, wants_body=True))

    def close(self) -> None:
        """Nothing is kept open."""


def sign(secret: str, timestamp: int) -> str:
    """HMAC-SHA256 of the timestamp in milliseconds, a line break and the secret, keyed with the secret; in base64
    (the URL's quoting comes on top)."""
    return b64encode(hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256).digest()).decode()
