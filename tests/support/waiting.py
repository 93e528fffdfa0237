"""Waiting for a condition with a deadline, instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.05


def wait_for(condition: Callable[[], T], timeout: float, describe: str) -> T:
    """Ask until the answer is truthy, and return it.

    An exception of `condition` counts as "not yet" and is reported if the time runs out.

    Raises:
        AssertionError: after `timeout` seconds, naming what was last seen.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            seen = condition()
        except Exception as error:
            last: object = error
        else:
            if seen:
                return seen
            last = seen
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s for: {describe}; last seen: {last!r}")
        time.sleep(POLL_SECONDS)
