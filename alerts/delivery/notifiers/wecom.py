"""企业微信 robots; what happened stands in the answer's body."""

from datetime import timedelta
from typing import Any

import msgspec

from alerts.delivery.notifiers.answers import Codes
from alerts.delivery.notifiers.contract import Delivery
from alerts.delivery.notifiers.http import HttpSender

CODES = Codes(
    fields=("errcode",),
    throttled={45009: timedelta(minutes=1), 45033: timedelta(seconds=10)},
    final={
        40008: "the kind of message is not understood",
        40058: "the message is not understood",
        45002: "the message is too long",
        93000: "there is no such robot; see `url`",
        93004: "the robot was switched off",
        93008: "the robot is not in the group",
    },
)
"""developer.work.weixin.qq.com/document/path/90313, 全局错误码."""


class WecomNotifier:
    """POSTs to one robot; its key stands in the URL."""

    def __init__(self, url: str, *, allow_private: bool = False, timeout_seconds: float = 10) -> None:
        self._http = HttpSender(url, allow_private=allow_private, timeout_seconds=timeout_seconds)

    def send(self, payload: dict[str, Any], delivery_id: str) -> Delivery:
        """The robot knows no delivery id: after a crash in mid-delivery a message may come twice."""
        return CODES.verdict(self._http.post(msgspec.json.encode(payload), {}, wants_body=True))

    def close(self) -> None:
        """Nothing is kept open."""
