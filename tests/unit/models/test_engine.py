import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from models.engine import QUEUE_ROUNDS, ROUND_BATCHES, Engine, is_out_of_memory
from models.lanes import Lanes
from tests.support.waiting import wait_for

BATCH_TOKENS = 10
ROUND_TOKENS = BATCH_TOKENS * ROUND_BATCHES
PATIENCE_SECONDS = 30


class Gate:
    """A forward pass that answers with the first id of each text, and can be held up."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered, self.open = threading.Event(), threading.Event()
        self.open.set()

    def __call__(self, inputs: Sequence[list[int]]) -> torch.Tensor:
        self.batches.append([ids[0] for ids in inputs])
        self.entered.set()
        assert self.open.wait(PATIENCE_SECONDS)
        if any(ids[0] < 0 for ids in inputs):
            raise ValueError("a text that the model cannot read")
        return torch.tensor([[float(ids[0])] for ids in inputs])

    def hold(self) -> None:
        self.open.clear()
        self.entered.clear()


ONE_LANE = Lanes(1, 1)


def engine_of(gate: Gate) -> Engine:
    return Engine(gate, batch_tokens=BATCH_TOKENS, is_packed=True, lanes=ONE_LANE)


def wait_for_queue(engine: Engine, tokens: int) -> None:
    wait_for(lambda: engine._queued_tokens >= tokens, PATIENCE_SECONDS, f"{tokens} tokens in the queue")


def test_rows_come_in_the_order_of_the_inputs() -> None:
    """Batches are sorted by length inside; the caller cannot tell."""
    inputs = [[number] * (1 + number % 7) for number in range(50)]
    assert engine_of(Gate())(inputs).flatten().tolist() == list(range(50))


def test_lanes_compute_the_passes_of_one_caller_at_once() -> None:
    """Three passes that each wait for the other two come to an end, and their rows come in order."""
    together = threading.Barrier(3, timeout=PATIENCE_SECONDS)

    def forward(inputs: Sequence[list[int]]) -> torch.Tensor:
        together.wait()
        return torch.tensor([[float(ids[0])] for ids in inputs])

    engine = Engine(forward, batch_tokens=BATCH_TOKENS, is_packed=True, lanes=Lanes(3, 1))
    inputs = [[number] * BATCH_TOKENS for number in range(3)]
    assert engine(inputs).flatten().tolist() == [0, 1, 2]


def test_a_second_round_fills_the_lanes_that_the_first_leaves_idle() -> None:
    """A caller with little to compute does not wait for another's long pass."""
    is_released = threading.Event()

    def forward(inputs: Sequence[list[int]]) -> torch.Tensor:
        if inputs[0][0] == 1:
            assert is_released.wait(PATIENCE_SECONDS)
        return torch.zeros(len(inputs), 1)

    engine = Engine(forward, batch_tokens=BATCH_TOKENS, is_packed=True, lanes=Lanes(2, 1))
    with ThreadPoolExecutor(1) as callers:
        slow = callers.submit(engine, [[1]])
        wait_for(lambda: engine._rounds == 1, PATIENCE_SECONDS, "the long pass to begin")
        assert engine([[2]]).shape == (1, 1)
        assert not slow.done()
        is_released.set()
        assert slow.result(PATIENCE_SECONDS).shape == (1, 1)


def test_callers_who_wait_share_batches() -> None:
    """What arrives while a pass runs is computed together, whoever brought it."""
    gate = Gate()
    engine = engine_of(gate)
    gate.hold()
    with ThreadPoolExecutor(4) as callers:
        first = callers.submit(engine, [[1]])
        assert gate.entered.wait(PATIENCE_SECONDS)
        others = [callers.submit(engine, [[number]]) for number in (2, 3, 4)]
        wait_for_queue(engine, 3)
        gate.open.set()
        assert [call.result(PATIENCE_SECONDS).item() for call in (first, *others)] == [1, 2, 3, 4]
    assert [sorted(batch) for batch in gate.batches] == [[1], [2, 3, 4]]


def test_a_small_call_waits_for_a_round_and_not_for_all_of_a_large_one() -> None:
    """The wait is bounded by the queue ahead, in rounds."""
    gate = Gate()
    engine = engine_of(gate)
    gate.hold()
    large = [[1] * BATCH_TOKENS] * ROUND_BATCHES
    with ThreadPoolExecutor(3) as callers:
        calls = [callers.submit(engine, large)]
        assert gate.entered.wait(PATIENCE_SECONDS)
        calls.append(callers.submit(engine, [[2]]))
        wait_for_queue(engine, 1)
        calls.append(callers.submit(engine, 2 * large))
        wait_for_queue(engine, 1 + 2 * ROUND_TOKENS)
        gate.open.set()
        for call in calls:
            call.result(PATIENCE_SECONDS)
    computed_before = next(position for position, batch in enumerate(gate.batches) if 2 in batch)
    assert computed_before <= 2 * ROUND_BATCHES < len(gate.batches)


def test_an_error_reaches_every_caller_of_its_batch() -> None:
    """Nobody waits for an answer that will never come."""
    gate = Gate()
    engine = engine_of(gate)
    gate.hold()
    with ThreadPoolExecutor(3) as callers:
        first = callers.submit(engine, [[1]])
        assert gate.entered.wait(PATIENCE_SECONDS)
        others = [callers.submit(engine, [[number]]) for number in (-1, 2)]
        wait_for_queue(engine, 2)
        gate.open.set()
        assert first.result(PATIENCE_SECONDS).item() == 1
        for call in others:
            with pytest.raises(ValueError, match="cannot read"):
                call.result(PATIENCE_SECONDS)


def test_after_an_error_the_engine_is_empty_and_works() -> None:
    """A failed call leaves nothing behind that later callers would have to wait for."""
    engine = engine_of(Gate())
    with pytest.raises(ValueError, match="cannot read"):
        engine([[-1] * BATCH_TOKENS] * (2 * ROUND_BATCHES))
    assert engine._queued_tokens == 0
    assert engine([[5]]).item() == 5


def test_an_interrupt_of_the_computing_thread_frees_the_others() -> None:
    """Ctrl-C in one thread is an error for those it computed for, not a standstill."""
    calls = 0

    def interrupted(inputs: Sequence[list[int]]) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise KeyboardInterrupt
        return torch.zeros(len(inputs), 1)

    engine = Engine(interrupted, batch_tokens=BATCH_TOKENS, is_packed=True, lanes=ONE_LANE)
    with pytest.raises(KeyboardInterrupt):
        engine([[1]])
    assert engine([[1]]).shape == (1, 1)


def test_the_queue_is_bounded() -> None:
    """A caller beyond the bound waits before its texts join the queue, and still gets its answers."""
    gate = Gate()
    engine = engine_of(gate)
    gate.hold()
    full = [[1] * BATCH_TOKENS] * (QUEUE_ROUNDS * ROUND_BATCHES)
    with ThreadPoolExecutor(3) as callers:
        first = callers.submit(engine, [[1]])
        assert gate.entered.wait(PATIENCE_SECONDS)
        filling = callers.submit(engine, full)
        wait_for_queue(engine, QUEUE_ROUNDS * ROUND_TOKENS)
        beyond = callers.submit(engine, [[7]])
        time.sleep(0.05)  # long enough to join the queue, if nothing held it back
        assert engine._queued_tokens == QUEUE_ROUNDS * ROUND_TOKENS
        gate.open.set()
        assert len(first.result(PATIENCE_SECONDS)) == 1
        assert len(filling.result(PATIENCE_SECONDS)) == len(full)
        assert beyond.result(PATIENCE_SECONDS).item() == 7


def test_other_errors_of_the_model_are_not_mistaken_for_memory() -> None:
    """A bug is not answered with smaller batches."""
    assert not is_out_of_memory(RuntimeError("size mismatch"))
