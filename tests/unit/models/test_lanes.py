"""Passes side by side, each on cores of its own."""

import threading

import pytest
import torch

from models.lanes import MOST_LANES, Lanes


def test_only_the_lanes_compute_with_their_number_of_threads() -> None:
    """The process keeps torch's threads for everything else: training, explanations, threads that come later."""
    usual = torch.get_num_threads()
    lanes = Lanes(2, 1)
    found: list[int] = []
    later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert [lanes.submit(lambda _: torch.get_num_threads(), None).result(10) for _ in range(4)] == [1, 1, 1, 1]
    assert [torch.get_num_threads(), *found] == [usual, usual]


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_of_a_call_is_its_own(count: int) -> None:
    """Whoever asks for the result gets it, whichever thread it was raised in."""
    lanes = Lanes(count, 1)
    assert lanes.submit(abs, -1).result(10) == 1
    failed = lanes.submit(int, "no number")
    with pytest.raises(ValueError, match="no number"):
        failed.result(10)


@pytest.mark.parametrize(("threads", "count", "each"), [(2, 2, 1), (MOST_LANES, MOST_LANES, 1), (64, MOST_LANES, 8)])
def test_a_cpu_has_a_lane_for_each_core_up_to_a_number(threads: int, count: int, each: int) -> None:
    """Beyond it, cores share a pass, so that a batch of a few hundred comments keeps all of them busy."""
    usual = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        made = Lanes.on(torch.device("cpu"))
    finally:
        torch.set_num_threads(usual)
    assert made.count == count
    assert made.submit(lambda _: torch.get_num_threads(), None).result(10) == each


def test_a_gpu_has_one() -> None:
    """It queues passes by itself, and they share its memory."""
    assert Lanes.on(torch.device("cuda")).count == 1
