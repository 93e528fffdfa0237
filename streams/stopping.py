"""A worker that was told to stop is gone soon, whatever it hangs on."""

import signal
import threading
from types import FrameType

from streams.retry import leave

STOP_SECONDS = 15.0
"""From the signal to the exit of a worker that cannot finish its batch; supervisors wait longer before SIGKILL."""


def leave_in_time(seconds: float = STOP_SECONDS) -> None:
    """From the first SIGTERM or SIGINT on, give the worker so long to end by itself, then leave unacknowledged.

    Call it in the main thread, after the event loop has its own handlers for these signals: asyncio and uvloop hear
    of a signal through a file descriptor, and go on doing so. Works when the event loop is blocked.
    """
    timer = threading.Timer(seconds, leave, [f"told to stop {seconds:.0f} s ago, and the batch in hand is not done"])
    timer.daemon = True

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if timer.ident is None:
            timer.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
