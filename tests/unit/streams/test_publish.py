from typing import Any

import msgspec
import pytest

from core.records import ClassifiedDocument
from streams.publish import classified_document
from tests.support.records import row


@pytest.mark.parametrize(("marked", "told"), [(True, True), (False, False), (None, False)])
def test_doubt_travels_with_the_document(marked: bool | None, told: bool) -> None:
    """Subscribers hear that the model was unsure; a row judged before there was the mark tells of no doubt."""
    record = classified_document(row("a", topic_uncertain=marked, sentiment_uncertain=marked))
    assert (record.topic_uncertain, record.sentiment_uncertain) == (told, told)


def test_a_record_of_the_version_before_still_decodes() -> None:
    """A consumer that replays the topic meets records without the marks of doubt."""
    fields: dict[str, Any] = msgspec.to_builtins(classified_document(row("a")))
    assert "topic_uncertain" not in fields
    assert "mentions" not in fields
    assert msgspec.convert(fields, ClassifiedDocument).topic_uncertain is False
    assert msgspec.convert(fields, ClassifiedDocument).mentions == ()
