"""Forward passes for many callers at once.

There is no thread behind the queue. A caller that finds the model idle sees a round through for everyone who waits,
itself included; who comes meanwhile is computed in the next round, together with all others who came ("flat
combining", SPAA 2010). So a lone caller pays nothing for the queue, and busy callers fill each other's batches
without anybody waiting for a batch to fill. The passes of a round run in lanes (`models.lanes`); while one round
ends, and leaves lanes idle, another may begin.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence

import torch

from core.logs import get_logger
from core.metrics import MEMORY_SPLITS, PADDING, QUEUED_TOKENS, TOKENS
from models.batching import even_budget, padding_tokens, token_budget_batches
from models.lanes import Lanes

log = get_logger(__name__)

ROUND_BATCHES = 8
"""Batches of one round: more would group lengths better, fewer let a late caller wait less."""
QUEUE_ROUNDS = 4
"""So many rounds may wait; a caller beyond that waits before its texts join the queue."""

Forward = Callable[[Sequence[list[int]]], torch.Tensor]


class _Call:
    """What one caller waits for: a row per input, or the error of a batch that held one of them."""

    def __init__(self, inputs: Sequence[list[int]]) -> None:
        self.inputs = inputs
        self.rows: dict[int, torch.Tensor] = {}
        self.error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        return self.error is not None or len(self.rows) == len(self.inputs)


_Place = tuple[_Call, int]  # an input of a call


class Engine:
    """Sorts what all callers wait for by length into batches of a token budget, and computes them in rounds.

    A text waits at most for the round under way and for those queued before its own: `QUEUE_ROUNDS` rounds of
    `ROUND_BATCHES` batches.
    """

    def __init__(self, forward: Forward, *, batch_tokens: int, is_packed: bool, lanes: Lanes) -> None:
        """Args:
        forward: token ids of some texts to (texts, classes) rows in one pass; called by all lanes at once.
        batch_tokens: most tokens of one pass; a longer text gets a pass of its own.
        is_packed: whether `forward` computes no padding.
        """
        self._forward = forward
        self._lanes = lanes
        self._most_rounds = 1 if lanes.count == 1 else 2
        self._batch_tokens = batch_tokens
        self._is_packed = is_packed
        self._queue: deque[_Place] = deque()
        self._queued_tokens = 0
        self._rounds = 0  # under way
        self._changed = threading.Condition()

    def __call__(self, inputs: Sequence[list[int]]) -> torch.Tensor:
        """(texts, classes) float32 rows on the CPU, in order. Blocks; any number of threads may call.

        Args:
            inputs: token ids of at least one text.

        Raises:
            Exception: what `forward` raised for a batch; every caller with a text in that batch gets it.
        """
        call = _Call(inputs)
        self._enqueue(call)
        try:
            while (places := self._next_round(call)) is not None:
                try:
                    self._compute(places)
                finally:
                    with self._changed:
                        self._rounds -= 1
                        self._changed.notify_all()
        finally:
            self._withdraw(call)
        if call.error is not None:
            raise call.error
        return torch.stack([call.rows[index] for index in range(len(inputs))])

    def _enqueue(self, call: _Call) -> None:
        most = QUEUE_ROUNDS * ROUND_BATCHES * self._batch_tokens
        with self._changed:
            # Whoever waits here is woken after each round; a full queue has owners, and one of them computes.
            self._changed.wait_for(lambda: self._queued_tokens < most)
            self._queue.extend((call, index) for index in range(len(call.inputs)))
            self._count_queued(sum(map(len, call.inputs)))

    def _next_round(self, call: _Call) -> list[_Place] | None:
        """What this caller has to compute now, in the order of arrival; None once its own answers are there."""
        with self._changed:
            self._changed.wait_for(lambda: call.is_done or (self._queue and self._rounds < self._most_rounds))
            if call.is_done:
                return None
            self._rounds += 1
            places: list[_Place] = []
            room = ROUND_BATCHES * self._batch_tokens
            while self._queue and room > 0:
                place = waiting, index = self._queue.popleft()
                tokens = len(waiting.inputs[index])
                self._count_queued(-tokens)
                if waiting.error is None:  # a call that failed already needs no more answers
                    places.append(place)
                    room -= tokens
            return places

    def _withdraw(self, call: _Call) -> None:
        """A call that failed leaves nothing in the queue: nobody would be there to compute it."""
        if len(call.rows) == len(call.inputs):
            return
        with self._changed:
            left = [place for place in self._queue if place[0] is call]
            self._queue = deque(place for place in self._queue if place[0] is not call)
            self._count_queued(-sum(len(call.inputs[index]) for _, index in left))
            self._changed.notify_all()

    def _count_queued(self, tokens: int) -> None:
        self._queued_tokens += tokens
        QUEUED_TOKENS.set(self._queued_tokens)

    def _compute(self, places: Sequence[_Place]) -> None:
        """Give each place its row, or its call the error of its batch."""
        inputs = [call.inputs[index] for call, index in places]
        lengths = list(map(len, inputs))
        budget = even_budget(sum(lengths), self._batch_tokens, self._lanes.count)
        batches = token_budget_batches(lengths, budget, is_packed=self._is_packed)
        try:
            passes = [
                self._lanes.submit(self._forward_or_halve, [inputs[index] for index in batch]) for batch in batches
            ]
            # Only now does anything wait for the device: while it computed a batch, the next one was prepared.
            for batch, made in zip(batches, passes, strict=True):
                try:
                    for index, row in zip(batch, made.result().cpu(), strict=True):
                        call, position = places[index]
                        call.rows[position] = row
                except Exception as error:
                    self._fail([places[index] for index in batch], error)
                TOKENS.inc(sum(lengths[index] for index in batch))
        except BaseException as error:  # this thread is told to end; the others must not wait for it
            self._fail(places, error)
            raise
        if not self._is_packed:
            PADDING.inc(padding_tokens(lengths, batches))

    def _fail(self, places: Sequence[_Place], error: BaseException) -> None:
        for call, _ in places:
            if not call.is_done:
                call.error = error

    def _forward_or_halve(self, inputs: Sequence[list[int]]) -> torch.Tensor:
        """One pass; out of memory halves it, down to a single text."""
        try:
            return self._forward(inputs)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if len(inputs) == 1 or not is_out_of_memory(error):
                raise
        # Outside of the handler, so that the traceback no longer holds the failed pass's tensors.
        log.warning("batch_split_out_of_memory", texts=len(inputs))
        MEMORY_SPLITS.inc()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        middle = len(inputs) // 2
        return torch.cat([self._forward_or_halve(inputs[:middle]), self._forward_or_halve(inputs[middle:])])


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a forward pass failed for lack of memory; torch's CPU allocator says so only in words."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    words = str(error).lower()
    return "not enough memory" in words or "can't allocate memory" in words or "out of memory" in words
