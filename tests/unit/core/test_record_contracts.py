"""What travels on the topics stays readable: old messages by today's code, today's by whoever knew the old."""

import copy
import json
from typing import Any

import jsonschema
import msgspec
import pytest

import opinion_client
from core import records
from opinion import async_api
from streams import topics
from tests.support.contracts import GOLDEN, additions, breaks, promised

RECORD = {topic.name: topic.record for topic in topics.MANIFEST}
MESSAGES = sorted(path.name for path in GOLDEN.glob("opinion.*.json"))


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_of_every_earlier_version_are_read(name: str) -> None:
    """Today's decoder reads what each earlier version wrote, with the fewest fields and with all, and loses nothing;
    today's schema accepts it."""
    record: type[msgspec.Struct] = getattr(records, RECORD[name.rsplit(".", 2)[0]])
    validator = jsonschema.Draft202012Validator(async_api.schema(record))
    messages = json.loads((GOLDEN / name).read_text(encoding="utf-8"))
    assert len(messages) == 2
    for message in messages:
        validator.validate(message)
        read = msgspec.json.decode(json.dumps(message), type=record)
        written = json.loads(msgspec.json.encode(read))
        assert {field: written.get(field, message[field]) for field in message} == message
        newer = message | {"a_field_of_the_future": 1}
        assert msgspec.json.decode(json.dumps(newer), type=record) == read


def test_nothing_that_others_rely_on_has_changed() -> None:
    """A field that was removed, renamed, retyped or newly required fails here, and the message says what to do."""
    now = records.schemas()
    assert not list(breaks(promised(), now)), "\n" + "\n".join(breaks(promised(), now))
    assert not additions(promised(), now), (
        f"new: {additions(promised(), now)}; once it is published others rely on it. If it is meant so, run "
        "`python -m tests.support.contracts` and `make docs`, and add a golden message with it."
    )


def _removed(schemas: Any) -> None:
    del schemas["ClassifiedDocument"]["properties"]["title"]


def _renamed(schemas: Any) -> None:
    fields = schemas["AlertEvent"]["properties"]
    fields["level"] = fields.pop("severity")


def _required(schemas: Any) -> None:
    schemas["Document"]["required"].append("lang")


def _optional(schemas: Any) -> None:
    schemas["ClassifiedDocument"]["required"].remove("topic_label")


def _retyped(schemas: Any) -> None:
    schemas["AlertEvent"]["properties"]["incident_id"] = {"type": "string"}


def _narrowed(schemas: Any) -> None:
    schemas["Document"]["properties"]["kind"]["enum"].remove("post")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_removed, "ClassifiedDocument.title was removed or renamed"),
        (_renamed, "AlertEvent.severity was removed or renamed"),
        (_required, "Document.lang is required now"),
        (_optional, "ClassifiedDocument.topic_label is no longer required"),
        (_retyped, "AlertEvent.incident_id changed"),
        (_narrowed, "Document.kind changed"),
    ],
)
def test_each_kind_of_break_is_named(change: Any, named: str) -> None:
    """The test above would see it."""
    changed = copy.deepcopy(promised())
    change(changed)
    found = list(breaks(promised(), changed))
    assert any(named in one for one in found), found


@pytest.mark.parametrize("name", ["AlertEvent", "ClassifiedDocument"])
def test_the_client_knows_the_same_records(name: str) -> None:
    """`opinion_client` has structs of its own, so that it can be installed alone; they hold the same fields."""

    def plain(schema: Any) -> Any:
        if isinstance(schema, dict):
            return {key: plain(value) for key, value in schema.items() if key != "description"}
        return schema

    ours = msgspec.json.schema(getattr(records, name))
    assert plain(msgspec.json.schema(getattr(opinion_client, name))) == plain(ours)
