"""`opinion.alert.v1`: every change of every incident, for machines."""

from typing import Any

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError, UnknownTopicOrPartitionError

from alerts.delivery.notifiers.contract import OK, Delivery

EVENT_TYPE = "opinion.alert.v1"


class KafkaNotifier:
    """Writes `core.records.AlertEvent`, keyed by fingerprint, and waits for all in-sync replicas."""

    def __init__(self, bootstrap: str, topic: str, *, timeout_seconds: float) -> None:
        """Connects at the first message."""
        self._bootstrap = bootstrap.split(",")
        self._topic = topic
        self._timeout = timeout_seconds
        self._producer: KafkaProducer | None = None

    def send(self, payload: dict[str, Any], delivery_id: str) -> Delivery:
        try:
            future = self._connected().send(
                self._topic,
                key=payload["fingerprint"].encode(),
                value=msgspec.json.encode(payload),
                headers=[
                    ("ce_specversion", b"1.0"),
                    ("ce_id", delivery_id.encode()),
                    ("ce_type", EVENT_TYPE.encode()),
                    ("ce_source", b"opinion"),
                    ("content-type", b"application/json"),
                ],
            )
            future.get(timeout=self._timeout)
        except MessageSizeTooLargeError as error:
            return Delivery("permanent", f"the broker refuses the size: {error}")
        except UnknownTopicOrPartitionError:
            return Delivery("retryable", f"there is no topic {self._topic} yet")
        except KafkaError as error:
            self.close()
            return Delivery("retryable", f"{type(error).__name__}: {error}")
        return OK

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=1)
            self._producer = None

    def _connected(self) -> KafkaProducer:
        if self._producer is None:
            milliseconds = int(self._timeout * 1000)
            self._producer = KafkaProducer(
                bootstrap_servers=self._bootstrap,
                acks="all",
                enable_idempotence=True,
                allow_auto_create_topics=False,
                bootstrap_timeout_ms=milliseconds,
                max_block_ms=milliseconds,
                request_timeout_ms=milliseconds,
                delivery_timeout_ms=milliseconds,
                linger_ms=0,
            )
        return self._producer
