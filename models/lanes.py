"""Threads that compute forward passes side by side.

Several cores that share one product wait after it for the slowest of them, dozens of times in a pass, and a database
or a broker that takes one core for a moment holds up all. Cores with a pass each wait for nobody;
docs/why/classification.md has the figures.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Self, TypeVar

import torch

MOST_LANES: Final = (
    8  # more passes side by side than that make small batches smaller still; cores beyond share passes
)
Given = TypeVar("Given")
Made = TypeVar("Made")


class Lanes:
    """Runs calls, so many at once, each on cores of its own. One lane is the caller's own thread.

    Attributes:
        count: how many.
    """

    def __init__(self, count: int, threads_each: int) -> None:
        """Args:
        threads_each: of torch, in each lane; with one lane torch's choice stays.
        """
        self.count = count
        self._pool = None
        if count > 1:
            self._pool = ThreadPoolExecutor(count, "lane", initializer=_settle, initargs=(threads_each,))
            # What a thread sets is the number of every thread that torch meets later, too; so all lanes start
            # now, and the caller's number is put back.
            usual = torch.get_num_threads()
            have_started = threading.Barrier(count + 1)
            for _ in range(count):
                self._pool.submit(have_started.wait)
            have_started.wait()
            torch.set_num_threads(usual)

    @classmethod
    def on(cls, device: torch.device) -> Self:
        """One for each of torch's threads on a CPU; a GPU runs its passes one after the other by itself."""
        threads = torch.get_num_threads() if device.type == "cpu" else 1
        count = min(threads, MOST_LANES)
        return cls(count, threads // count)

    def submit(self, function: Callable[[Given], Made], given: Given) -> "Future[Made]":
        """The result, or the exception, of a call; with one lane it is there when this returns."""
        if self._pool is not None:
            return self._pool.submit(function, given)
        future: Future[Made] = Future()
        try:
            future.set_result(function(given))
        except Exception as error:
            future.set_exception(error)
        return future


def _settle(threads: int) -> None:
    """Of this thread. Torch gives a thread the common number when it is first asked; that comes first."""
    torch.get_num_threads()
    torch.set_num_threads(threads)
