"""`opinion labels`: Label Studio both ways, agreement, conflicts and adjudication, as people call them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner, Result

from opinion.cli import app
from storage import human_labels
from storage.engine import connect
from tests.support.records import START, row
from tests.support.rows import store_rows

run = CliRunner()


@pytest.fixture
def engine(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Two documents, and the current folder for files."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)
    engine = connect(database_url)
    store_rows(
        engine,
        [
            row("weibo:1", text="电池起火，电话 13812345678", lang="zh", source="weibo", topic_label="technology"),
            row("weibo:2", 1, text="<Choice/> & ‮球队赢了", lang="zh", source="weibo"),
        ],
    )
    yield engine
    engine.dispose()


def called(*arguments: object) -> Any:
    """The JSON object of a command that succeeds."""
    result = run.invoke(app, ["labels", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


def failed(*arguments: object) -> Result:
    result = run.invoke(app, ["labels", *map(str, arguments)])
    assert result.exit_code != 0
    return result


def wrote(*arguments: str) -> None:
    result = run.invoke(app, ["labels", *arguments])
    assert result.exit_code == 0, result.output


def said(engine: Engine) -> list[tuple[str | None, str, str, str]]:
    with engine.connect() as connection:
        return [(one.document_id, one.head, one.answer, one.annotator) for one in human_labels.rows(connection)]


def lines(*given: Mapping[str, object]) -> None:
    """labels.jsonl"""
    Path("labels.jsonl").write_text("".join(json.dumps(line) + "\n" for line in given), encoding="utf-8")


def answer_in_label_studio(tasks: list[dict[str, Any]], user: int, *, topic: str) -> list[dict[str, Any]]:
    """What Label Studio exports after a user has taken the predictions over, but for the topic."""
    return [
        {
            "id": nth,
            "data": task["data"],
            "predictions": [],
            "annotations": [
                {
                    "id": 100 + nth,
                    "completed_by": user,
                    "was_cancelled": False,
                    "lead_time": 6.5,
                    "updated_at": f"2026-05-0{user}T10:00:0{nth}Z",
                    "result": [
                        {**result, "id": "xyz", "value": {"choices": [topic]}}
                        if result["from_name"] == "topic"
                        else {**result, "id": "abc"}
                        for result in task["predictions"][0]["result"]
                    ],
                }
            ],
        }
        for nth, task in enumerate(tasks, start=1)
    ]


def test_label_studio_round_trip(engine: Engine) -> None:
    """Out as tasks with predictions, back as answers about the same documents, out with annotations, back without
    a second row; telephone numbers stay here, and the answers are still about the documents."""
    wrote("tasks", "--out", "tasks.json", "--config", "labels.xml")
    tasks = json.loads(Path("tasks.json").read_text(encoding="utf-8"))
    assert [task["data"]["id"] for task in tasks] == ["weibo:2", "weibo:1"]
    assert "13812345678" not in json.dumps(tasks, ensure_ascii=False)
    assert ElementTree.fromstring(Path("labels.xml").read_text(encoding="utf-8")).tag == "View"  # noqa: S314  # our own
    export = answer_in_label_studio(tasks, 3, topic="sports")
    Path("export.json").write_text(json.dumps(export), encoding="utf-8")
    assert called("import", "export.json")["new"] == 4
    assert called("import", "export.json")["new"] == 0
    assert {one for one in said(engine) if one[0] == "weibo:1"} == {
        ("weibo:1", "topic", "sports", "label_studio:3"),
        ("weibo:1", "sentiment", "negative", "label_studio:3"),
    }
    with engine.connect() as connection:
        people = connection.execute(text("SELECT id, people_topic FROM bi.document ORDER BY id")).all()
        assert [tuple(one) for one in people] == [("weibo:1", "sports"), ("weibo:2", "sports")]
    wrote("export", "--format", "label-studio", "--out", "answered.json")
    assert called("import", "answered.json")["new"] == 0
    before = said(engine)
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE human_label"))
    assert called("import", "answered.json")["new"] == 4
    assert said(engine) == before
    wrote("tasks", "--out", "tasks.json")
    assert json.loads(Path("tasks.json").read_text(encoding="utf-8")) == []


def test_bad_tasks_are_reported_and_strict_stores_nothing(engine: Engine) -> None:
    """Unknown documents and classes by the number of their task; with --strict the good one stays out as well."""
    tasks = [
        {"data": {"id": document}, "annotations": [{"result": [{"from_name": "topic", "type": "choices", **value}]}]}
        for document, value in (
            ("weibo:1", {"value": {"choices": ["sports"]}}),
            ("gone:1", {"value": {"choices": ["sports"]}}),
            ("weibo:2", {"value": {"choices": ["weather"]}}),
        )
    ]
    Path("export.json").write_text(json.dumps(tasks), encoding="utf-8")
    failed("import", "export.json", "--strict")
    rejects = [json.loads(line) for line in Path("label-rejects.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(one["line"], one["reason"]) for one in rejects] == [(2, "unknown_document"), (3, "bad_record")]
    assert said(engine) == []
    body = called("import", "export.json")
    assert (body["new"], body["rejected"]) == (1, 2)


def test_a_file_that_contradicts_what_is_stored_is_reported(engine: Engine) -> None:
    """One person, one moment, another answer: the line is refused, its neighbours are not, --strict refuses all."""
    line = {"id": "weibo:1", "annotator": "li", "labelled_at": "2026-05-01T10:00:00Z"}
    lines({**line, "topic": "sports"})
    assert called("import", "labels.jsonl")["new"] == 1
    lines({**line, "topic": "health"}, {**line, "topic": "game", "labelled_at": "2026-05-01T10:00:01Z"})
    failed("import", "labels.jsonl", "--strict")
    assert len(said(engine)) == 1
    body = called("import", "labels.jsonl")
    assert (body["new"], body["files"][0]["conflicting"]) == (1, 1)
    (reject,) = [json.loads(one) for one in Path("label-rejects.jsonl").read_text(encoding="utf-8").splitlines()]
    assert "li answered sports at 2026-05-01T10:00:00+00:00" in reject["detail"]


def test_people_disagree_and_somebody_settles_it(engine: Engine) -> None:
    """Agreement has kappa and alpha, the conflict is listed until it is adjudicated, by text or by document."""
    answers = {"li": "sports", "wang": "health"}
    lines(
        *({"id": "weibo:1", "topic": topic, "annotator": name} for name, topic in answers.items()),
        *({"text": "无人知道的文字", "topic": topic, "annotator": name} for name, topic in answers.items()),
        *({"id": "weibo:2", "topic": "game", "annotator": name} for name in answers),
    )
    assert called("import", "labels.jsonl", "--guideline", "2")["new"] == 6
    figures = called("agreement")
    (pair,) = figures["pairs"]
    assert (pair["annotators"], pair["texts"]) == (["li", "wang"], 3)
    assert pair["same"] == pytest.approx(1 / 3)
    assert pair["kappa"] == pytest.approx(1 / 4)  # by hand: chance gives 1 / 9
    assert figures["heads"][0]["alpha"] is not None
    first, second = called("conflicts")["conflicts"]
    assert (first["document_id"], first["answers"], first["settled"]) == ("weibo:1", answers, None)
    called("adjudicate", "weibo:1", "--topic", "health", "--by", "chen")
    called("adjudicate", second["text_key"], "--topic", "sports", "--sentiment", "neutral", "--by", "chen")
    assert called("conflicts")["conflicts"] == []
    assert [one["settled"] for one in called("conflicts", "--all")["conflicts"]] == ["health", "sports"]
    with engine.connect() as connection:
        query = text("SELECT people_topic, people_topic_by FROM bi.document WHERE id = 'weibo:1'")
        assert tuple(connection.execute(query).one()) == ("health", "chen")
        assert connection.scalar(text("SELECT string_agg(DISTINCT guideline, ',') FROM human_label")) == ",2"


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("weibo:1",), "nothing is answered"),
        (("weibo:1", "--topic", "weather"), "weather"),
        (("0123456789ab", "--topic", "sports"), "no answered text"),
        (("gone:1", "--topic", "sports"), "no answered text"),
    ],
)
def test_what_cannot_be_adjudicated_is_said(arguments: tuple[str, ...], words: str) -> None:
    """The cause, without a traceback."""
    result = run.invoke(app, ["labels", "adjudicate", *arguments, "--by", "li"])
    assert result.exit_code != 0
    assert words in str(result.exception) + result.output


def test_retracted_answers_leave_the_exports(engine: Engine) -> None:
    """What was taken back is neither exported nor imported again by an old file."""
    lines({"id": "weibo:1", "topic": "sports", "annotator": "li"})
    called("import", "labels.jsonl")
    with engine.begin() as connection:
        stored = list(human_labels.rows(connection))
        human_labels.retract(connection, stored, by="li", now=START, intake="command")
    wrote("export", "--out", "out.jsonl")
    assert Path("out.jsonl").read_text(encoding="utf-8") == ""
    assert called("import", "labels.jsonl")["new"] == 0
    assert said(engine) == []
