"""What an HTTP answer means for a message: delivered, to be tried again (when), or never. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from alerts.delivery.notifiers.contract import OK, Delivery
from alerts.delivery.notifiers.http import MOST_ANSWER_BYTES, Answer

RETRYABLE_STATUS = {408, 425, 429}
LONGEST_RETRY_AFTER = timedelta(hours=1)  # a receiver may ask for peace, not for silence


def by_status(answer: Answer | Delivery) -> Delivery:
    """Any 2xx is success; 5xx, 408, 425 and 429 may get better; redirects are not followed."""
    if isinstance(answer, Delivery):
        return answer
    status = answer.status
    if 200 <= status < 300:
        return OK
    if status >= 500 or status in RETRYABLE_STATUS:
        return Delivery("retryable", f"HTTP {status}", retry_after(answer.headers.get("retry-after")))
    return Delivery("permanent", f"HTTP {status}" + (" (redirects are not followed)" if 300 <= status < 400 else ""))


def retry_after(value: str | None, now: datetime | None = None) -> timedelta | None:
    """A `Retry-After` header (RFC 9110 §10.2.3): seconds or a date; None: it does not say."""
    if value is None:
        return None
    if value.strip().isdecimal():
        wait = timedelta(seconds=min(int(value[:9]), LONGEST_RETRY_AFTER.total_seconds()))
    else:
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - (now or datetime.now(UTC))
    return max(timedelta(0), min(wait, LONGEST_RETRY_AFTER))


@dataclass(frozen=True, slots=True)
class Codes:
    """A service that answers 200 and says in the body what happened.

    Attributes:
        fields: where the code stands, the first that is there counts; 0 is success.
        throttled: too fast, with how long to wait.
        final: will not get better, with why, for people. Codes in neither are tried again.
    """

    fields: tuple[str, ...]
    throttled: Mapping[int, timedelta] = field(default_factory=dict)
    final: Mapping[int, str] = field(default_factory=dict)

    def verdict(self, answer: Answer | Delivery) -> Delivery:
        """The body's code where there is one, else the status. What the service writes beside the code is left out:
        it may repeat the token."""
        if isinstance(answer, Delivery):
            return answer
        code, told = self._code(answer.body), by_status(answer)
        if code in (None, 0) and told.outcome != "ok":
            return told
        if code is None:
            what = "too long" if len(answer.body) >= MOST_ANSWER_BYTES else "not understood"
            return Delivery("retryable", f"the answer is {what}")
        if code == 0:
            return OK
        if code in self.throttled:
            asked = retry_after(answer.headers.get("retry-after"))
            return Delivery("retryable", f"code {code}: sent too fast", asked or self.throttled[code])
        if code in self.final:
            return Delivery("permanent", f"code {code}: {self.final[code]}")
        return Delivery("retryable", f"code {code}")

    def _code(self, body: bytes) -> int | None:
        try:
            said: Any = json.loads(body)
        except (ValueError, RecursionError):  # a body may be nested as deep as it is long
            return None
        for name in self.fields:
            if isinstance(said, dict) and isinstance(code := said.get(name), int):
                return code
        return None
