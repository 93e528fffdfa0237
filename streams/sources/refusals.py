"""Why something could not be fetched."""

from datetime import timedelta

from core.metrics import FETCH_REASONS


class FetchError(Exception):
    """A page or feed was not taken.

    Attributes:
        reason: one of `core.metrics.FETCH_REASONS` (a closed set: it is a metric label).
        detail: for people; holds no password of the address.
        retry_after: how long the host asked us to stay away.
        status: of the answer, if there was one.
    """

    def __init__(
        self, reason: str, detail: str, *, retry_after: timedelta | None = None, status: int | None = None
    ) -> None:
        if reason not in FETCH_REASONS:
            raise ValueError(reason)
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after
        self.status = status
        super().__init__(f"{reason}: {detail}")
