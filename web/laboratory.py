"""Trials of rules over the stored counts: one at a time, because each takes a core for seconds."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from fastapi import Request
from sqlalchemy import Connection

from alerts.detection.rules import Rule
from alerts.rulebook.laboratory import Trial, TrialOptions, try_rule
from web.problems import Problem, ProblemError
from web.rendering import console_of

TRIED_SERIES: Final = 20  # with four weeks, some ten seconds of one core
BUSY_SECONDS: Final = 5

_laboratory = threading.Lock()


@contextmanager
def reserved(wait_seconds: float = 0.0) -> Iterator[None]:
    """The laboratory, for as long as the block lasts.

    Raises:
        ProblemError: 429; another trial is still at work after so long.
    """
    if not _laboratory.acquire(timeout=wait_seconds):
        raise ProblemError(Problem(429, "busy_laboratory", retry_after_seconds=BUSY_SECONDS))
    try:
        yield
    finally:
        _laboratory.release()


def trial_of(
    request: Request, connection: Connection, rule: Rule, *, days: int, messages_per_week: float | None = None
) -> Trial:
    """What a rule would have done, over the largest of its series; to be called with the laboratory reserved."""
    options = TrialOptions(
        request.app.state.detector, days=days, most_series=TRIED_SERIES, messages_per_week=messages_per_week
    )
    return try_rule(connection, rule, options, now=console_of(request).clock.now())
