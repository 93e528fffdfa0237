import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

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
    assert set(figures) == {"files"}
    assert {name: list(heads) for name, heads in figures["files"].items()} == {
        "a.test.jsonl": ["sentiment"],
        "b.test.jsonl": ["topic"],
    }
    assert set(figures["files"]["b.test.jsonl"]["topic"]) == {
        "rows", "accuracy", "accuracy_present", "macro_f1", "macro_recall", "ece", "per_class",
    }  # fmt: skip
    assert figures["files"]["b.test.jsonl"]["topic"]["rows"] == 2


def test_evaluate_shows_a_table_by_language(checkpoint: Path, files: list[Path]) -> None:
    """For people: one line per file, head and language."""
    arguments = ["models", "evaluate", "--data", str(files[0]), "--data", str(files[1])]
    result = CliRunner().invoke(app, [*arguments, "--checkpoint", str(checkpoint)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.stderr
    assert "zh" in result.stdout
    assert "b.test.jsonl" in result.stdout


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
