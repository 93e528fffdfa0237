"""What was stored, and what was refused, onto their topics; returns when the broker has it."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence

import msgspec
from aiokafka import AIOKafkaProducer

from core.records import ClassifiedDocument, Mention
from storage.documents import DocumentRow, Settled
from streams.dead_letters import DeadLetter
from streams.verbatim import send_verbatim

_encoder = msgspec.json.Encoder()


class PublishStep:
    """Uses an idempotent producer with acks=all; any failure comes out as an exception of aiokafka."""

    def __init__(self, producer: AIOKafkaProducer, *, classified_topic: str, dead_letter_topic: str) -> None:
        self._producer = producer
        self._classified_topic = classified_topic
        self._dead_letter_topic = dead_letter_topic

    async def run(self, settled: Iterable[Settled], dead_letters: Sequence[DeadLetter]) -> None:
        """Send all and wait for every acknowledgement."""
        sent: list[Awaitable[object]] = []
        for one in settled:
            if (version := one.published) is None:
                continue
            sent.append(
                await self._producer.send(
                    self._classified_topic,
                    key=version.id.encode(),
                    value=_encoder.encode(classified_document(version, one.voice)),
                    headers=cloud_event_headers(version),
                )
            )
        for letter in dead_letters:
            record = letter.record
            sent.append(
                await send_verbatim(
                    self._producer, self._dead_letter_topic, record.key, record.value, letter.headers()
                )
            )
        await asyncio.gather(*sent)


def classified_document(version: DocumentRow, voice: str | None = None) -> ClassifiedDocument:
    """The record that tells of this version; the same version says the same at every redelivery, but for whose copy
    it is: that is told as it is known by then."""
    return ClassifiedDocument(
        id=version.id,
        kind=version.kind,  # type: ignore[arg-type]  # a checked column
        source=version.source,
        lang=version.lang,
        published_at=version.published_at,
        url=version.url,
        title=version.title,
        text=version.text,
        parent_id=version.parent_id,
        topic_label=version.topic_label,
        topic_scores=version.topic_scores,
        sentiment=version.sentiment,
        sentiment_scores={
            "negative": round(version.score_negative, 4),
            "neutral": round(version.score_neutral, 4),
            "positive": round(version.score_positive, 4),
        },
        topic_uncertain=bool(version.topic_uncertain),
        sentiment_uncertain=bool(version.sentiment_uncertain),
        mentions=msgspec.convert(version.mentions or (), tuple[Mention, ...]),
        model_version=version.model_version,
        revision=version.revision,
        author=version.author,
        quoted_text=version.quoted_text,
        copy_cluster=voice,
    )


def cloud_event_headers(version: DocumentRow) -> list[tuple[str, bytes]]:
    """CloudEvents 1.0, Kafka binding, binary mode. `ce_id` names this version of this document for good."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{version.id}:{version.revision}".encode()),
        ("ce_source", b"opinion-pipeline"),
        ("ce_type", b"opinion.document.classified.v1"),
        ("ce_time", version.published_at.isoformat().encode()),
        ("content-type", b"application/json"),
    ]
