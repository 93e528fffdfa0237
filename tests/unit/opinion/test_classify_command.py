import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.errors import ConfigError
from opinion.cli import app
from tests.support.checkpoints import tiny_checkpoint

LINES = [
    '{"id": "a:1", "text": "很好 coffee"}',
    "{broken",
    '{"id": "a:2", "title": "bank", "text": "bad <b>service</b>"}',
    '{"id": "a:3"}',
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    path = tmp_path / "docs.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(LINES).encode()))
    return path


def test_json_counts_and_lines_go_different_ways(checkpoint: Path, documents: Path, tmp_path: Path) -> None:
    """One JSON object on stdout, one line per document in the file, in the order of the input."""
    out = tmp_path / "out.jsonl"
    result = CliRunner().invoke(
        app, ["classify", str(documents), "--checkpoint", str(checkpoint), "--json", "--out", str(out)]
    )
    counts = json.loads(result.stdout)
    verdicts = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert result.exit_code == 0
    assert (counts["documents"], counts["rejected"], counts["model_version"]) == (2, 2, checkpoint.name)
    assert sum(counts["sentiments"].values()) == sum(counts["topics"].values()) == 2
    assert [verdict["id"] for verdict in verdicts] == ["a:1", "a:2"]
    assert set(verdicts[1]) >= {"title", "text", "topic_label", "topic_scores", "sentiment", "sentiment_scores"}


def test_bad_lines_are_reported_with_their_number_and_never_fatal(checkpoint: Path, documents: Path) -> None:
    """A crawler's broken line must not cost the other ten thousand."""
    result = CliRunner().invoke(app, ["classify", str(documents), "--checkpoint", str(checkpoint)])
    assert result.exit_code == 0
    assert "line 2:" in result.stderr
    assert "line 4:" in result.stderr
    assert len(result.stdout.splitlines()) == 2


def test_mentions_of_a_watchlist_file_are_in_the_lines(checkpoint: Path, documents: Path, tmp_path: Path) -> None:
    """Each line says which watchlists its document mentions, with a sentiment toward each."""
    watch = tmp_path / "watch.yaml"
    watch.write_text("watchlists:\n- {name: a bank, any: [BANK]}\n- {name: nobody, any: [xyz]}\n", encoding="utf-8")
    result = CliRunner().invoke(
        app, ["classify", str(documents), "--checkpoint", str(checkpoint), "--watchlists", str(watch)]
    )
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert first["mentions"] == []
    [mention] = second["mentions"]
    assert (mention["watchlist"], mention["mentions"]) == ("a bank", 1)
    assert mention["sentiment"] == max(mention["sentiment_scores"], key=mention["sentiment_scores"].get)


def test_a_bad_watchlist_file_stops_the_command(documents: Path, tmp_path: Path) -> None:
    """It is refused before the model is loaded."""
    watch = tmp_path / "watch.yaml"
    watch.write_text("watchlists:\n- {name: a, all: [x]}\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["classify", str(documents), "--watchlists", str(watch)])
    assert isinstance(result.exception, ConfigError)
    assert "all: not understood" in str(result.exception)
