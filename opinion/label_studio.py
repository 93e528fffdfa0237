"""Label Studio: its JSON export as answers, and documents and answers as tasks that it imports.

The format is Label Studio's own (labelstud.io/guide/task_format): a list of tasks with `data`, `annotations` and
`predictions`. `labelling_config` is the interface that belongs to it: one choice for each head.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from xml.sax.saxutils import quoteattr

import msgspec

from core.errors import RecordRejected
from core.records import Label
from core.scrubbing import scrub
from core.taxonomy import CLASSES, HEADS, TOPIC_NAMES_ZH, Head
from core.times import parse_time
from storage.human_labels import LabelRow, Statement
from storage.labelling_texts import LabellingText
from streams.json_values import parse_json
from streams.labels import check

SENTIMENT_NAMES_ZH: Final = {"negative": "负面", "neutral": "中性", "positive": "正面"}
SHOWN: Final[dict[Head, dict[str, str]]] = {
    "sentiment": {name: f"{SENTIMENT_NAMES_ZH[name]} {name}" for name in CLASSES["sentiment"]},
    "topic": {name: f"{TOPIC_NAMES_ZH[name]} {name}" for name in CLASSES["topic"]},
}
TITLES: Final[dict[Head, str]] = {"sentiment": "情感 Sentiment", "topic": "话题 Topic"}
_OURS: Final = re.compile(r"([0-9a-f]{64}):([a-z_]+)")
"""The id that an exported answer has in Label Studio: its key, and the answer that the key belongs to."""


class _Result(msgspec.Struct):
    id: str | int | None = None
    from_name: str | None = None
    type: str | None = None
    value: dict[str, Any] = {}
    meta: dict[str, Any] | None = None


class _Annotation(msgspec.Struct):
    id: str | int | None = None
    completed_by: str | int | dict[str, Any] | None = None
    result: list[_Result] = []
    was_cancelled: bool | None = False
    ground_truth: bool | None = False
    created_at: str | None = None
    updated_at: str | None = None
    lead_time: float | None = None


class _Task(msgspec.Struct):
    data: dict[str, Any]
    id: str | int | None = None
    annotations: list[_Annotation] | None = None


def tasks(body: bytes) -> Iterator[bytes]:
    """The tasks of an export, each as its own JSON.

    Raises:
        ValueError: it is no JSON list of objects.
    """
    try:
        found = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"), type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"not a JSON list of Label Studio's tasks: {error}") from error
    return (bytes(one) for one in found)


def statements(task: bytes, *, annotator: str, guideline: str, now: datetime) -> list[Statement]:
    """The answers of one task; none when nobody answered, or only by skipping it.

    An annotator is named by e-mail, else by name, else by number (`label_studio:7`). An annotation that is marked as
    ground truth is an adjudication.

    Args:
        annotator: for annotations that name nobody.

    Raises:
        RecordRejected: one of its annotations cannot be used, so none is.
    """
    found = parse_json(task, _Task)
    said: list[Statement] = []
    for one in found.annotations or ():
        if one.was_cancelled:
            continue
        try:
            said += _answers(found, one, annotator, guideline, now)
        except RecordRejected as rejected:
            where = f"annotation {one.id if one.id is not None else '?'} of task {found.id}"
            raise RecordRejected(rejected.reason, f"{where}: {rejected.detail}") from rejected
    return said


def _answers(
    task: _Task, annotation: _Annotation, annotator: str, guideline: str, now: datetime
) -> Iterator[Statement]:
    heads: set[Head] = set()
    for result in annotation.result:
        head = next((head for head in HEADS if head == result.from_name), None)
        if head is None or result.type != "choices":
            continue  # a comment, or a question of another project
        if head in heads:
            raise RecordRejected("conflicting_labels", f"{head}: answered twice")
        heads.add(head)
        answer = _choice(head, result)
        meta = result.meta or {}
        ours = _OURS.fullmatch(str(result.id))
        is_as_exported = ours is not None and ours[2] == answer
        stated = meta.get("labelled_at") if is_as_exported else annotation.updated_at or annotation.created_at
        label = Label(
            head=head,
            answer=answer,
            document_id=_text(task, "id"),
            text=_text(task, "text"),
            lang=_text(task, "lang"),
            source=_text(task, "source"),
            annotator=str(meta.get("annotator") or "" if is_as_exported else "") or _name(annotation) or annotator,
            labelled_at=_time(stated),
            guideline=str(meta.get("guideline") or guideline) if is_as_exported else guideline,
            seconds=annotation.lead_time,
            is_adjudication=bool(annotation.ground_truth),
        )
        key = bytes.fromhex(ours[1]) if ours is not None and is_as_exported else None
        yield check(label, now)._replace(intake="label_studio", key=key)


def _choice(head: Head, result: _Result) -> str:
    """The class; by the name that `labelling_config` shows, too."""
    choices = result.value.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], str):
        raise RecordRejected("bad_record", f"{head}: not exactly one choice")
    return next((name for name, shown in SHOWN[head].items() if shown == choices[0]), choices[0])


def _text(task: _Task, name: str) -> str | None:
    value = task.data.get(name)
    if value is None or isinstance(value, str):
        return value or None
    if name == "id" and isinstance(value, int):
        return str(value)
    raise RecordRejected("bad_record", f"data.{name}: not a text")


def _name(annotation: _Annotation) -> str:
    who = annotation.completed_by
    if isinstance(who, Mapping):
        full = f"{who.get('first_name') or ''} {who.get('last_name') or ''}".strip()
        number = who.get("id")
        return str(who.get("email") or full or ("" if number is None else f"label_studio:{number}"))
    return f"label_studio:{who}" if isinstance(who, int) else who or ""


def _time(stated: Any) -> datetime | None:
    if not stated:
        return None
    try:
        return parse_time(str(stated), UTC)
    except ValueError as error:
        raise RecordRejected("bad_record", f"updated_at: {error}") from error


def answered_tasks(rows: Iterable[LabelRow]) -> list[dict[str, Any]]:
    """One task for each document or text, with an annotation for each time that somebody answered about it.

    What comes back unchanged is known by its id; what somebody has changed there is a new answer of theirs.
    """
    by_text: dict[tuple[str | None, str], dict[tuple[object, ...], list[LabelRow]]] = {}
    for row in rows:
        sitting = (row.annotator, row.labelled_at, row.is_adjudication)
        by_text.setdefault((row.document_id, row.text), {}).setdefault(sitting, []).append(row)
    return [
        {
            "data": _data(document_id, text, *next((row.lang, row.source) for row in next(iter(sittings.values())))),
            "annotations": [_annotation(answers) for answers in sittings.values()],
        }
        for (document_id, text), sittings in by_text.items()
    ]


def _annotation(answers: Sequence[LabelRow]) -> dict[str, Any]:
    # No `completed_by`: Label Studio refuses a file that names somebody who is not its user.
    first = answers[0]
    return {
        "result": [
            {
                **_result(one.head, one.answer),
                "id": f"{one.label_key.hex()}:{one.answer}",
                "meta": {
                    "annotator": one.annotator,
                    "labelled_at": one.labelled_at.isoformat(),
                    "guideline": one.guideline,
                },
            }
            for one in answers
        ],
        "was_cancelled": False,
        "ground_truth": first.is_adjudication,
        "created_at": first.labelled_at.isoformat(),
        "updated_at": first.labelled_at.isoformat(),
        "lead_time": first.seconds,
    }


def open_tasks(documents: Iterable[LabellingText]) -> list[dict[str, Any]]:
    """Tasks to be answered, with the model's verdict as a prediction."""
    return [
        {
            "data": _data(one.document_id, one.text, one.lang, one.source),
            "predictions": [
                {
                    "model_version": one.model_version,
                    "score": round(min(one.topic_score, one.sentiment_score), 4),
                    "result": [_result("topic", one.topic_label), _result("sentiment", one.sentiment)],
                }
            ],
        }
        for one in documents
    ]


def _data(document_id: str | None, text: str, lang: str, source: str) -> dict[str, str]:
    named = {"id": document_id} if document_id else {}
    return {**named, "text": scrub(text), "lang": lang, "source": source}


def _result(head: Head, answer: str) -> dict[str, Any]:
    return {"from_name": head, "to_name": "text", "type": "choices", "value": {"choices": [answer]}}


def labelling_config() -> str:
    """The labelling interface of a project for our tasks, as Label Studio's XML."""
    lines = ["<View>", '  <Text name="text" value="$text"/>']
    for head in ("sentiment", "topic"):
        lines.append(f"  <Header value={quoteattr(TITLES[head])}/>")
        lines.append(f'  <Choices name="{head}" toName="text" choice="single-radio" showInLine="true">')
        lines += [f'    <Choice alias="{name}" value={quoteattr(shown)}/>' for name, shown in SHOWN[head].items()]
        lines.append("  </Choices>")
    return "\n".join([*lines, "</View>", ""])
