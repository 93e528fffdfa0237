"""The AsyncAPI 3.0 document of all topics and of the console's live streams, and the JSON Schemas of all records.

Written beside the other reference pages, by `opinion.docs`. Every word of it comes from the code: the manifest of
topics, the records and their docstrings.
"""

import inspect
import json
import re
from typing import Any, Final

import msgspec

from core.records import RECORDS
from core.settings import KafkaSettings
from streams import topics
from streams.topics import Topic

FILE: Final = "asyncapi.json"
SCHEMAS: Final = "schemas"
DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
BINDING: Final = "0.5.0"
CE_HEADERS: Final = {
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": {"type": "string", "description": "The same on every redelivery: drop what you have seen."},
    "ce_source": {"type": "string"},
    "ce_type": {"type": "string"},
    "content-type": {"type": "string", "const": "application/json"},
}
WITH_CE_HEADERS: Final = (topics.CLASSIFIED, topics.ALERT)
WRITTEN_HERE: Final = (topics.RAW_DLQ, topics.CLASSIFIED, topics.ALERT, topics.LABEL_DLQ, topics.MODEL)
READ_HERE: Final = (topics.RAW, topics.LABEL, topics.MODEL)


def pages() -> dict[str, str]:
    """Files by their path below docs/reference."""
    written = {FILE: document()}
    for record in RECORDS:
        written[f"{SCHEMAS}/{record.__name__}.json"] = schema(record)
    return {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in written.items()}


def schema(record: type[msgspec.Struct]) -> dict[str, Any]:
    """A JSON Schema that stands alone."""
    return {"$schema": DRAFT, **msgspec.json.schema(record)}


def document() -> dict[str, Any]:
    """The AsyncAPI document. An operation is what the pipeline does: others send what it receives."""
    known = {record.__name__: record for record in RECORDS}
    _, schemas = msgspec.json.schema_components(RECORDS, ref_template="#/components/schemas/{name}")
    messages = {
        topic.record: _message(topic, known[topic.record]) for topic in topics.MANIFEST if topic.record in known
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "opinion",
            "version": "1",
            "description": "Topics of the pipeline. Names may be preceded by `OPINION_KAFKA__TOPIC_PREFIX`. A change "
            "that would break a reader or writer comes as a new topic, `.v2`; optional fields may come at any time.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {"host": "localhost:9092", "protocol": "kafka", "description": "`OPINION_KAFKA_BOOTSTRAP`."},
            "console": {
                "host": "127.0.0.1:8080",
                "protocol": "http",
                "description": "Server-sent events of `opinion web`; /api/openapi.json has the parameters.",
            },
        },
        "channels": {_key(topic.name): _channel(topic) for topic in topics.MANIFEST} | _live_channels(),
        "operations": _operations(),
        "components": {"messages": {**messages, "DeadLetter": _dead_letter()}, "schemas": schemas},
    }


def _channel(topic: Topic) -> dict[str, Any]:
    settings = KafkaSettings()
    config = topic.config(settings)
    message = _message_of(topic)
    return {
        "address": topic.name,
        "title": topic.name,
        "description": f"Key: {topic.key}. Written by {topic.writer}; read by {topic.readers}.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions or settings.partitions,
                "replicas": settings.replication,
                "topicConfiguration": {
                    "cleanup.policy": [topic.cleanup],
                    "retention.ms": int(config["retention.ms"]),
                    "max.message.bytes": int(config["max.message.bytes"]),
                },
                "bindingVersion": BINDING,
            }
        },
    }


def _live_channels() -> dict[str, Any]:
    live = {
        "liveDocuments": ("/api/v1/stream", "ClassifiedDocument", "Classified documents as they come."),
        "liveIncidents": ("/api/v1/stream/incidents", "AlertEvent", "Changes of incidents as they come."),
    }
    return {
        name: {
            "address": address,
            "title": address,
            "description": f"{about} Each event has an id, which is the cursor to go on at.",
            "servers": [{"$ref": "#/servers/console"}],
            "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        }
        for name, (address, message, about) in live.items()
    }


def _operations() -> dict[str, Any]:
    of_topics = {topic.name: topic for topic in topics.MANIFEST}
    done = [("send", name) for name in WRITTEN_HERE] + [("receive", name) for name in READ_HERE]
    operations: dict[str, Any] = {}
    for action, name in done:
        key, message = _key(name), _message_of(of_topics[name])
        operations[f"{action}{key[0].upper()}{key[1:]}"] = _operation(action, key, message)
    for key, message in (("liveDocuments", "ClassifiedDocument"), ("liveIncidents", "AlertEvent")):
        operations[f"send{key[0].upper()}{key[1:]}"] = _operation("send", key, message)
    return operations


def _operation(action: str, channel: str, message: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
    }


def _message(topic: Topic, record: type[msgspec.Struct]) -> dict[str, Any]:
    about = inspect.cleandoc(record.__doc__ or "").partition("\n\nAttributes:")[0].replace("\n", " ")
    message: dict[str, Any] = {
        "name": record.__name__,
        "title": record.__name__,
        "summary": about,
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{record.__name__}"},
        "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": BINDING}},
    }
    if topic.name in WITH_CE_HEADERS:
        message["headers"] = {"type": "object", "properties": CE_HEADERS, "required": ["ce_id"]}
    return message


def _dead_letter() -> dict[str, Any]:
    return {
        "name": "DeadLetter",
        "title": "DeadLetter",
        "summary": "A record that cannot be used: key, bytes and headers as they came, with the reason beside them.",
        "contentType": "application/octet-stream",
        "payload": {"type": "string", "format": "binary"},
        "headers": {"type": "object", "patternProperties": {"^__connect\\.errors\\.": {"type": "string"}}},
    }


def _message_of(topic: Topic) -> str:
    return topic.record if any(topic.record == record.__name__ for record in RECORDS) else "DeadLetter"


def _key(topic: str) -> str:
    """`opinion.document.raw.v1.dlq` as `documentRawV1Dlq`."""
    first, *rest = re.split(r"[.-]", topic.removeprefix("opinion."))
    return first + "".join(part.capitalize() for part in rest)
