"""`opinion labels`, `opinion models list|promote|rollback` and `opinion retrain`, as people and scripts call them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from models.datasets import read_labelled
from opinion.cli import app
from storage import training_runs
from storage.engine import connect
from tests.support.checkpoints import tiny_checkpoint

run = CliRunner()


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two models, `first` and `second`."""
    folder = tmp_path_factory.mktemp("models")
    return tiny_checkpoint(folder / "first", seed=1), tiny_checkpoint(folder / "second", seed=2)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, database_url: str, checkpoints: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a database, where no broker runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("OPINION_MODELS__CHECKPOINT", str(checkpoints[0]))
    return tmp_path


def called(*arguments: object) -> Any:
    """The one JSON object that a successful command prints; `main` sends logs, here before it, to stderr."""
    result = run.invoke(app, [*map(str, arguments), "--json"])
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def from_outside(*arguments: str) -> Any:
    """The same from a process of its own: nothing but the result may be on stdout."""
    done = subprocess.run(
        [sys.executable, "-m", "opinion.cli", *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout)


def exit_code(result: Result) -> object:
    return getattr(result.exception, "exit_code", result.exit_code)


def test_labels_come_in_with_a_report(home: Path) -> None:
    """Good lines are stored, bad ones listed with line and reason; --strict refuses with exit code 5."""
    path = home / "labels.jsonl"
    path.write_text('{"text": "a", "topic": "sports"}\n{"text": "b", "topic": "weather"}\n')
    strict = run.invoke(app, ["labels", "import", str(path), "--strict", "--json"])
    assert exit_code(strict) == 5
    assert json.loads(strict.stdout)["new"] == 0
    report = called("labels", "import", path, "--annotator", "li")
    assert (report["new"], report["rejected"], report["rejects_file"]) == (1, 1, "label-rejects.jsonl")
    reject = json.loads(Path("label-rejects.jsonl").read_text())
    assert (reject["file"], reject["line"], reject["reason"]) == ("labels.jsonl", 2, "bad_record")
    assert "weather" in reject["detail"]
    exported = run.invoke(app, ["labels", "export"]).stdout
    assert json.loads(exported)["annotator"] == "li"


def test_a_missing_file_is_not_found(home: Path) -> None:
    """Exit code 4 and no traceback."""
    assert exit_code(run.invoke(app, ["labels", "import", str(home / "no.jsonl")])) == 4


def test_promote_list_and_roll_back(checkpoints: tuple[Path, Path]) -> None:
    """A folder becomes champion, the list shows it, a rollback returns to the configured checkpoint."""
    assert called("models", "list")["champion"] == "first"
    promoted = called("models", "promote", checkpoints[1], "--reason", "looks better")
    assert promoted == {"champion": "second", "reason": "looks better", "is_announced": False}
    listed = called("models", "list")
    assert (listed["champion"], sorted(version["version"] for version in listed["versions"])) == (
        "second",
        ["first", "second"],
    )
    assert from_outside("models", "rollback", "--json")["champion"] == "first"
    assert exit_code(run.invoke(app, ["models", "rollback"])) == 4
    assert exit_code(run.invoke(app, ["models", "promote", "nonsense"])) == 4
    assert "first" in run.invoke(app, ["models", "list"], env={"COLUMNS": "200"}).stdout


def test_nothing_to_retrain_on_is_no_failure(checkpoints: tuple[Path, Path]) -> None:
    """Without labels the command says so and succeeds."""
    assert called("retrain") == {
        "run": None,
        "champion": str(checkpoints[0]),
        "candidate": None,
        "promoted": False,
        "reasons": ["there are no labels"],
        "metrics": {},
        "shadow": None,
    }
    assert "there are no labels" in run.invoke(app, ["retrain"]).stdout


def test_a_second_retrain_says_that_one_is_at_work(database_url: str) -> None:
    """Exit code 3, and what to do, while somebody else trains."""
    engine = connect(database_url)
    with training_runs.only_run(engine):
        second = run.invoke(app, ["retrain"])
    engine.dispose()
    assert exit_code(second) == 3
    assert "Another retrain run is at work" in str(second.exception)


def test_a_dry_run_says_what_would_be_learned(home: Path) -> None:
    """Texts of each part and their hash, the same each time, and the texts themselves in a file that can be read
    again; nothing is trained or stored."""
    lines = [json.dumps({"text": f"text {nth}", "topic": "sports"}) for nth in range(20)]
    (home / "labels.jsonl").write_text("\n".join(lines))
    assert called("retrain", "--dry-run")["reason"] == "there are no labels"
    called("labels", "import", home / "labels.jsonl")
    told = called("retrain", "--dry-run", "--out", home / "snapshot.jsonl.gz")
    texts = told["texts"]
    assert (texts["gold"], texts["new gold"], texts["new labels"], texts["train"] + texts["dev"]) == (4, 4, 20, 16)
    assert len(read_labelled(home / "snapshot.jsonl.gz")) == 20
    again = called("retrain", "--dry-run")
    assert (again["hash"], again["is_new"]) == (told["hash"], True)
    assert "a run would begin" in run.invoke(app, ["retrain", "--dry-run"]).stdout
    assert called("models", "list")["runs"] == []
    assert exit_code(run.invoke(app, ["retrain", "--out", "x.jsonl"])) == 2
