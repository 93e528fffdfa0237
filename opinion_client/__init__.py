"""Classified documents and incidents of opinion for other programs, in five lines.

    from opinion_client import Console

    for document in Console("http://127.0.0.1:8080").documents(watchlist="Acme", cursor_file="acme.cursor"):
        print(document.sentiment, document.text)

`Console` and `AsyncConsole` read the live stream of a console over HTTP; `Kafka` reads the topics. All of them come
back by themselves after a break, and give each version of a document once. Needs httpx and msgspec; `Kafka` also
kafka-python.
"""

from opinion_client.async_console import AsyncConsole
from opinion_client.console import Console
from opinion_client.errors import StreamError
from opinion_client.kafka_topics import Kafka
from opinion_client.records import AlertEvent, ClassifiedDocument, Mention
from opinion_client.session import Gap

__all__ = ["AlertEvent", "AsyncConsole", "ClassifiedDocument", "Console", "Gap", "Kafka", "Mention", "StreamError"]
