"""飞书 robots: the card, signed; what happened stands in the answer's body."""

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

CODES = Codes(
    fields=("code", "StatusCode"),
    throttled={11232: timedelta(minutes=1), 99991400: timedelta(minutes=1)},
    final={
        9499: "the request is not understood",
        19001: "there is no such robot; see `url`",
        19002: "the card is not understood",
        19021: "the signature does not match, or the clock is an hour off; see `secret`",
        19022: "our address is not on the robot's IP list",
        19024: "the robot's keyword is not in the message",
    },
)
"""open.feishu.cn, 自定义机器人使用指南, 错误码."""


class FeishuNotifier:
    """POSTs to one robot."""

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
        """The robot knows no delivery id: after a crash in mid-delivery a card may come twice."""
        if self._secret is not None:
            timestamp = int(self._clock.now().timestamp())
            payload = {"timestamp": str(timestamp), "sign": sign(self._secret, timestamp), **payload}
        return CODES.verdict(self._http.post(msgspec.json.encode(payload), {}, wants_body=True))

    def close(self) -> None:
        """Nothing is kept open."""


def sign(secret: str, timestamp: int) -> str:
    """HMAC-SHA256 of nothing, keyed with the timestamp in seconds, a line break and the secret; in base64."""
    return b64encode(hmac.new(f"{timestamp}\n{secret}".encode(), b"", hashlib.sha256).digest()).decode()
