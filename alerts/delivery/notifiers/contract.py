"""What every notifier promises."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol, runtime_checkable

Outcome = Literal["ok", "retryable", "permanent"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one attempt; `reason` never holds a secret.

    Attributes:
        retry_after: the receiver asks to be left alone so long.
    """

    outcome: Outcome
    reason: str = ""
    retry_after: timedelta | None = None


OK = Delivery("ok")


class Notifier(Protocol):
    """Sends to one receiver. Blocks at most its timeout and never raises for what the receiver does."""

    def send(self, payload: dict[str, Any], delivery_id: str) -> Delivery:
        """One attempt; the same `delivery_id` may come again, and the receiver is told it."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


@runtime_checkable
class Repeater(Protocol):
    """A notifier whose receiver forgets what it is not told again and again."""

    def repeat(self, alerts: Sequence[dict[str, Any]]) -> Delivery:
        """Tell once more what goes on."""
        ...
