"""Documents that other programs send over HTTP: checked as the worker would, acknowledged by the broker.

The console's `POST /api/v1/documents` hands the bodies' documents to `BrokerSink`; one producer serves all requests.
What goes onto the topic are the sender's own bytes, so that the worker reads them exactly as from any crawler.
"""

import asyncio
from asyncio import Future
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from core.clock import Clock
from core.errors import DependencyNotReadyError, RecordRejected
from streams.dead_letters import RawRecord
from streams.intake import IntakeLimits, decode
from streams.topics import RAW_MAX_BYTES

Outcome = str | RecordRejected
"""The id under which a document was taken, or why it never can be."""

LINGER_MILLISECONDS: Final = 5  # requests that come together share a batch
BATCH_BYTES: Final = 131_072
CLOSE_SECONDS: Final = 5.0


class BrokerSink:
    """Takes documents for the raw topic. Of one event loop; the first call connects."""

    def __init__(
        self,
        bootstrap: Callable[[], str | None],
        topic: str,
        limits: IntakeLimits,
        clock: Clock,
        *,
        answer_seconds: float,
    ) -> None:
        """Opens nothing.

        Args:
            bootstrap: asked before connecting, so that a broker that starts later is found; None: there is none yet.
            answer_seconds: `accept` ends within so long, whatever the broker does.
        """
        self._bootstrap = bootstrap
        self._topic = topic
        self._limits = limits
        self._clock = clock
        self._answer_seconds = answer_seconds
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()

    async def accept(self, values: Sequence[bytes]) -> list[Outcome]:
        """Put the valid ones of these JSON documents onto the topic; returns when the broker has them.

        Returns:
            One outcome for each, in order.

        Raises:
            DependencyNotReadyError: not all were acknowledged in time. Some may have been, and the same call can be
                made again: a document that is there already has no effect.
        """
        outcomes = await asyncio.to_thread(self._check, values)
        if not any(isinstance(outcome, str) for outcome in outcomes):
            return outcomes
        try:
            async with asyncio.timeout(self._answer_seconds):
                producer = await self._connected()
                sent = [
                    None if isinstance(outcome, RecordRejected) else await self._send(producer, outcome, value)
                    for outcome, value in zip(outcomes, values, strict=True)
                ]
                return [await _settled(outcome, future) for outcome, future in zip(outcomes, sent, strict=True)]
        except (KafkaError, OSError) as error:  # TimeoutError is an OSError
            cause = str(error) or f"no answer within {self._answer_seconds:g} s"
            raise DependencyNotReadyError(
                f"Kafka did not take the documents: {cause}", remedy="send again"
            ) from error

    async def close(self) -> None:
        """Send what is under way, for a moment; then let go."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)

    def _check(self, values: Sequence[bytes]) -> list[Outcome]:
        now = self._clock.now()
        outcomes: list[Outcome] = []
        for value in values:
            try:
                outcomes.append(decode(RawRecord(self._topic, 0, 0, now, None, value), self._limits).id)
            except RecordRejected as rejected:
                outcomes.append(rejected)
        return outcomes

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                address = self._bootstrap()
                if address is None:
                    raise KafkaError("no broker is configured or running")
                producer = AIOKafkaProducer(
                    bootstrap_servers=address.split(","),
                    acks="all",
                    linger_ms=LINGER_MILLISECONDS,
                    max_batch_size=BATCH_BYTES,
                    max_request_size=RAW_MAX_BYTES,
                    request_timeout_ms=int(self._answer_seconds * 1000),
                )
                try:
                    await producer.start()
                except BaseException:
                    await _stop(producer)
                    raise
                self._producer = producer
            return self._producer

    async def _send(self, producer: AIOKafkaProducer, key: str, value: bytes) -> "Future[Any] | RecordRejected":
        try:
            future: Future[Any] = await producer.send(self._topic, key=key.encode(), value=value)
        except MessageSizeTooLargeError:
            return _too_large(value)
        future.add_done_callback(_hear)
        return future


async def _settled(outcome: Outcome, future: "Future[Any] | RecordRejected | None") -> Outcome:
    if not isinstance(future, Future):
        return future or outcome
    try:
        await asyncio.shield(future)
    except MessageSizeTooLargeError as error:
        return RecordRejected("too_large", f"the broker refuses it: {error}")
    return outcome


def _too_large(value: bytes) -> RecordRejected:
    return RecordRejected("too_large", f"value has {len(value)} bytes, the topic takes {RAW_MAX_BYTES}")


def _hear(future: "Future[Any]") -> None:
    """Nobody may be waiting any more; asyncio would complain of an exception that nobody asked for."""
    if not future.cancelled():
        future.exception()


async def _stop(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await producer.stop()
    except (KafkaError, OSError):
        pass
