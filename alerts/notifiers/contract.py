"""What every notifier promises."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

Outcome = Literal["ok", "retryable", "permanent"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one attempt; `reason` never holds a secret."""

    outcome: Outcome
    reason: str = ""


OK = Delivery("ok")


class Notifier(Protocol):
    """Sends to one receiver. Blocks at most its timeout and never raises for what the receiver does."""

    def send(self, payload: dict[str, Any], delivery_id: str) -> Delivery:
        """One attempt; the same `delivery_id` may come again, and the receiver is told it."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
