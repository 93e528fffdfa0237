import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.registry import stamp
from opinion.cli import app
from tests.support.checkpoints import tiny_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    rows = {
        "a.test.jsonl": [{"text": "很好", "sentiment": "positive", "topic": None, "lang": "zh"}],
        "b.test.jsonl": [{"text": "bank", "sentiment": None, "topic": "finance", "lang": "en"}] * 2,
    }
    for name, lines in rows.items():
        (tmp_path / name).write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return [tmp_path / name for name in rows]


def test_evaluate_gives_the_contracted_json(checkpoint: Path, files: list[Path]) -> None:
    """Scripts rely on these names: files, heads and figures."""
    arguments = ["models", "evaluate", "--data", *map(str, files), "--checkpoint", str(checkpoint), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert set(figures) >= {"files"}
    assert {name: list(heads) for name, heads in figures["files"].items()} == {
        "a.test.jsonl": ["sentiment"],
        "b.test.jsonl": ["topic"],
    }
    assert set(figures["files"]["b.test.jsonl"]["topic"]) >= {
        "rows", "accuracy", "accuracy_present", "macro_f1", "macro_recall", "ece", "per_class",
    }  # fmt: skip
    assert figures["files"]["b.test.jsonl"]["topic"]["rows"] == 2


def test_evaluate_shows_tables_by_file_language_and_class(checkpoint: Path, files: list[Path]) -> None:
    """For people: classes and confusions of each file, then one line per file, head and language."""
    arguments = ["models", "evaluate", "--data", str(files[0]), "--data", str(files[1])]
    result = CliRunner().invoke(app, [*arguments, "--checkpoint", str(checkpoint)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.stderr
    assert "zh" in result.stdout
    assert "b.test.jsonl, topic" in result.stdout
    assert "finance" in result.stdout
    assert "true \\ answered" in result.stdout


def test_train_leaves_a_stamped_checkpoint_with_a_card(files: list[Path], tmp_path: Path) -> None:
    """The command that made the starter: recipe in, a folder out that other commands take."""
    encoder = "{model_type: bert, hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 1, intermediate_size: 8}"
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"name: small\nencoder: {encoder}\ntokenizer: {{pieces: 300}}\nmax_length: 16\noptimisation: {{epochs: 1}}\n"
        "train: [{file: a.test.jsonl}]\ndev: [{file: b.test.jsonl}]\ntest: [b.test.jsonl]\n",
        encoding="utf-8",
    )
    out = tmp_path / "out"
    arguments = ["models", "train", "--recipe", str(recipe), "--data", str(tmp_path), "--out", str(out), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    version = json.loads(result.stdout)["model_version"]
    assert version == json.loads((out / "version.json").read_text(encoding="utf-8"))["version"]
    assert version in (out / "README.md").read_text(encoding="utf-8")
    facts = json.loads((out / "training.json").read_text(encoding="utf-8"))
    assert facts["rows"] == {"a.test.jsonl": 1}


def test_card_is_made_anew_without_training(checkpoint: Path, files: list[Path], tmp_path: Path) -> None:
    """A recipe that has gained baselines or sections since changes the card, and nothing else."""
    folder = tmp_path / "copy"
    shutil.copytree(checkpoint, folder)
    stamp(folder, "tiny", parent=None, created_at=datetime(2026, 1, 2, tzinfo=UTC))
    (tmp_path / "tried.md").write_text("| tried | gained |", encoding="utf-8")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "name: small\nbase: .\ntrain: [{file: a.test.jsonl}]\ndev: [{file: a.test.jsonl}]\ntest: [b.test.jsonl]\n"
        "baselines: {b.test.jsonl: [12.5, 12.5]}\nsections: {What was tried: tried.md}\n",
        encoding="utf-8",
    )
    weights = (folder / "model.safetensors").read_bytes()
    result = CliRunner().invoke(
        app, ["models", "card", str(folder), "--recipe", str(recipe), "--data", str(tmp_path)]
    )
    assert result.exit_code == 0, result.stderr
    card = (folder / "README.md").read_text(encoding="utf-8")
    for part in (
        "| a.test.jsonl | 1 |",
        "| b.test.jsonl | topic |",
        "12.5 / 12.5",
        "## What was tried",
        "## Behaviour",
    ):
        assert part in card
    for picture in re.findall(r"\]\(([\w-]+\.svg)\)", card):
        assert (folder / picture).is_file()
    assert (folder / "model.safetensors").read_bytes() == weights
