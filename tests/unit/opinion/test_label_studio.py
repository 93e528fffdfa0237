"""Label Studio's JSON: what its export says, and what it is given."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from core.errors import UsageError
from core.taxonomy import SENTIMENTS, TOPICS
from opinion.label_files import LabelFile, read
from opinion.label_studio import answered_tasks, labelling_config, open_tasks
from storage.human_labels import LabelRow
from storage.labelling_texts import LabellingText

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def choice(head: str, *answers: str, **more: Any) -> dict[str, Any]:
    value = {"choices": list(answers)}
    return {"from_name": head, "to_name": "text", "type": "choices", "id": "a1b2", "value": value, **more}


def annotation(*results: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """As an export of Label Studio has it."""
    return {
        "id": 1001,
        "completed_by": {"id": 7, "email": "li@example.org", "first_name": "Li", "last_name": "Lei"},
        "result": list(results),
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-04-30T10:00:00.123456Z",
        "updated_at": "2026-04-30T10:05:00Z",
        "lead_time": 4.288,
        "result_count": 0,
        "task": 1,
        **changes,
    }


def task(*annotations: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {"id": 31, "data": {"text": "电池起火", **data}, "annotations": list(annotations), "predictions": []}


def reading(folder: Path, content: object) -> LabelFile:
    path = folder / "project-1-at-2026.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read(path, annotator="importer", zone=UTC, now=NOW, guideline="2")


def test_an_annotation_is_an_answer_for_each_head(tmp_path: Path) -> None:
    """With who, when, how long, and by which guideline."""
    found = reading(
        tmp_path, [task(annotation(choice("topic", "automobile"), choice("sentiment", "negative")), id="weibo:1")]
    )
    said = found.statements[1]
    assert [(one.head, one.answer) for one in said] == [("topic", "automobile"), ("sentiment", "negative")]
    assert {(one.document_id, one.text, one.annotator, one.guideline) for one in said} == {
        ("weibo:1", "电池起火", "li@example.org", "2")
    }
    assert {(one.seconds, one.labelled_at, one.intake) for one in said} == {
        (4.288, datetime(2026, 4, 30, 10, 5, tzinfo=UTC), "label_studio")
    }


@pytest.mark.parametrize(
    ("completed_by", "name"),
    [
        (7, "label_studio:7"),
        ({"id": 7, "email": "", "first_name": "Li", "last_name": "Lei"}, "Li Lei"),
        ({"id": 7}, "label_studio:7"),
        (None, "importer"),
    ],
)
def test_annotators_have_a_name(tmp_path: Path, completed_by: object, name: str) -> None:
    """Exports name them by an object or by a number alone."""
    found = reading(tmp_path, [task(annotation(choice("topic", "sports"), completed_by=completed_by))])
    assert found.statements[1][0].annotator == name


def test_what_says_nothing_is_no_fault(tmp_path: Path) -> None:
    """Skipped tasks, tasks without annotations, comments and questions of another project."""
    other = {"from_name": "comment", "to_name": "text", "type": "textarea", "value": {"text": ["?"]}}
    found = reading(
        tmp_path,
        [
            task(annotation(choice("topic", "sports"), was_cancelled=True)),
            task(),
            {"data": {"text": "a"}},
            task(annotation(other)),
        ],
    )
    assert (found.statements, found.rejects, found.unlabelled) == ({}, [], 4)


def test_ground_truth_is_an_adjudication(tmp_path: Path) -> None:
    """What Label Studio's people call the truth wins over their other annotations."""
    found = reading(tmp_path, [task(annotation(choice("topic", "sports"), ground_truth=True))])
    assert found.statements[1][0].is_adjudication


@pytest.mark.parametrize(
    ("bad", "reason", "words"),
    [
        (task(annotation(choice("topic", "weather"))), "bad_record", "annotation 1001 of task 31"),
        (task(annotation(choice("topic", "sports", "health"))), "bad_record", "exactly one choice"),
        (task(annotation(choice("topic", "sports"), choice("topic", "game"))), "conflicting_labels", "twice"),
        (task(annotation(choice("topic", "sports"), updated_at="yesterday")), "bad_record", "updated_at"),
        (task(annotation(choice("topic", "sports"), lead_time=-1)), "bad_record", "seconds"),
        (task(annotation(choice("topic", "sports")), text=["a"]), "bad_record", "data.text"),
        (task(annotation(choice("topic", "sports")), text=""), "empty_text", "neither"),
        ({"annotations": []}, "bad_record", "data"),
        (7, "bad_record", "object"),
    ],
)
def test_bad_tasks_are_reported_by_number(tmp_path: Path, bad: object, reason: str, words: str) -> None:
    """One bad annotation takes its task out, and no other."""
    found = reading(tmp_path, [bad, task(annotation(choice("topic", "sports")))])
    (reject,) = found.rejects
    assert (reject.line, reject.reason) == (1, reason)
    assert words in reject.detail
    assert list(found.statements) == [2]


def test_one_person_with_two_answers_at_one_moment_says_nothing(tmp_path: Path) -> None:
    """Conflicting tasks are refused, as lines are."""
    tasks = [task(annotation(choice("topic", answer))) for answer in ("sports", "health")]
    found = reading(tmp_path, tasks)
    assert {reject.reason for reject in found.rejects} == {"conflicting_labels"}
    assert not found.statements


@pytest.mark.parametrize("content", ["{}", "[", '{"data": {}}', "[" * 5000, "null", ""])
def test_what_is_no_export_is_refused(tmp_path: Path, content: str) -> None:
    """Another JSON file is an error of its own, not a row of bad lines."""
    with pytest.raises(UsageError, match="cannot be read"):
        reading(tmp_path, content)


ROWS = [
    LabelRow(1, b"\x01" * 32, "weibo:1", "电池 13812345678", "zh", "weibo", head, answer, "li", NOW, NOW, "2", 3.5)  # type: ignore[arg-type]
    for head, answer in (("topic", "automobile"), ("sentiment", "negative"))
]


def test_exported_answers_come_back_as_they_were(tmp_path: Path) -> None:
    """The key, the annotator, the time and the guideline survive; personal details do not leave."""
    (made,) = answered_tasks(ROWS)
    assert made["data"] == {"id": "weibo:1", "text": "电池 [phone]", "lang": "zh", "source": "weibo"}
    said = reading(tmp_path, [made]).statements[1]
    assert [(one.key, one.annotator, one.labelled_at, one.guideline, one.seconds) for one in said] == [
        (b"\x01" * 32, "li", NOW, "2", 3.5)
    ] * 2


def test_an_exported_answer_that_was_changed_is_a_new_one(tmp_path: Path) -> None:
    """Its old key does not stand for another class, and whoever changed it is its annotator."""
    (made,) = answered_tasks(ROWS)
    changed = made["annotations"][0]
    changed |= {"completed_by": 9, "updated_at": "2026-05-01T11:00:00Z"}
    changed["result"][0]["value"]["choices"] = ["technology"]
    topic, sentiment = reading(tmp_path, [made]).statements[1]
    assert (topic.key, topic.annotator, topic.answer) == (None, "label_studio:9", "technology")
    assert sentiment.key == b"\x01" * 32


def test_tasks_carry_the_verdict_as_a_prediction() -> None:
    """By the names and classes of the labelling interface."""
    document = LabellingText(
        "weibo:1", NOW, "post", "weibo", "zh", None, None, "b", None, "b", None, "sports", 0.8, "neutral", 0.6, "m1"
    )
    (made,) = open_tasks([document])
    (prediction,) = made["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("m1", 0.6)
    config = ElementTree.fromstring(labelling_config())  # noqa: S314  # our own
    shown = {element.get("name"): {one.get("alias") for one in element} for element in config.iter("Choices")}
    assert shown == {"topic": set(TOPICS), "sentiment": set(SENTIMENTS)}
    for result in prediction["result"]:
        assert set(result["value"]["choices"]) <= shown[result["from_name"]]
        assert config.find(f".//Text[@name='{result['to_name']}']") is not None


def test_the_shown_names_are_understood(tmp_path: Path) -> None:
    """Versions of Label Studio that export what is shown rather than the alias are read as well."""
    config = ElementTree.fromstring(labelling_config())  # noqa: S314  # our own
    shown = next(one.get("value") for one in config.iter("Choice") if one.get("alias") == "sports")
    assert reading(tmp_path, [task(annotation(choice("topic", str(shown))))]).statements[1][0].answer == "sports"
