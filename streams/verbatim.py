"""Sending a record on with key, value and headers exactly as they came, whatever they are."""

import random
from collections.abc import Awaitable

from aiokafka import AIOKafkaProducer

from streams.dead_letters import Headers


async def send_verbatim(
    producer: AIOKafkaProducer,
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: Headers,
    *,
    timestamp_ms: int | None = None,
) -> Awaitable[object]:
    """Queue one record; what is returned waits for the broker's acknowledgement.

    `AIOKafkaProducer.send` (and kafka-python's) refuses a record that has neither key nor value. Kafka takes it,
    so crawlers can write it, and it must not stop the one who dead-letters it: it goes out as a batch of its own.

    Raises:
        aiokafka.errors.KafkaError: the broker is away or refuses the record.
    """
    if key is not None or value is not None:
        pending: Awaitable[object] = await producer.send(
            topic, key=key, value=value, headers=list(headers), timestamp_ms=timestamp_ms
        )
        return pending
    batch = producer.create_batch()
    batch.append(timestamp=timestamp_ms, key=None, value=None, headers=list(headers))
    partition = random.choice(sorted(await producer.partitions_for(topic)))  # noqa: S311  # spreads load, no secret
    sent: Awaitable[object] = await producer.send_batch(batch, topic, partition=partition)
    return sent
