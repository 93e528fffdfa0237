import json
from pathlib import Path

import msgspec
import pytest
from rich.console import Console
from typer.testing import CliRunner

from core.errors import UsageError
from models.explanation import Explanation, WordAttribution
from opinion.cli import app
from opinion.commands.explain import coloured
from tests.support.checkpoints import tiny_checkpoint

HOSTILE = "bad\x1b[2J service\u202e \x9b31m good"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_checkpoint(tmp_path_factory.mktemp("checkpoint")))


def test_a_text_is_explained_as_json(checkpoint: str) -> None:
    """One object with the contracted names; no raw control or direction character in it."""
    arguments = ["explain", "--text", HOSTILE, "--class", "negative", "--checkpoint", checkpoint, "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    body = json.loads(result.stdout)
    assert (body["class"], body["text"]) == ("negative", HOSTILE)
    assert all(c.isprintable() or c == "\n" for c in result.stdout)


def test_a_terminal_shows_colours_and_obeys_nothing_of_the_text() -> None:
    """Escape codes of crawled text become spaces, and the colours still lie on the right words."""
    words = [WordAttribution("bad", 0, 3, 0.9), WordAttribution("good", 22, 26, -0.9)]
    found = Explanation(
        text=HOSTILE, head="sentiment", label="negative", score=0.7, tokens=words, method="gradient",
        model_version="m", deletion=None,
    )  # fmt: skip
    shown = coloured(found)
    assert len(shown.plain) == len(HOSTILE)
    assert shown.plain.isprintable()
    assert [shown.plain[span.start : span.end] for span in shown.spans] == ["bad", "good"]
    console = Console(force_terminal=True, color_system="truecolor", width=100)
    with console.capture() as capture:
        console.print(shown)
    assert "\x1b[2J" not in capture.get()
    assert "\x1b[30;48;2;255;120;90mbad" in capture.get()


def test_a_file_checks_the_explanations(checkpoint: str, tmp_path: Path) -> None:
    """Both figures and how many texts they are of, for whoever wants to trust a checkpoint's explanations."""
    path = tmp_path / "texts.jsonl"
    lines = [
        msgspec.json.encode({"text": f"good tea bad coffee {nth}", "sentiment": "negative"}).decode()
        for nth in range(9)
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    arguments = ["explain", "--data", str(path), "--rows", "4", "--checkpoint", checkpoint]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert set(figures) == {"file", "texts", "aopc", "aopc_random", "better_than_random"}
    assert figures["texts"] == 4
    assert "texts.jsonl, 4 texts" in CliRunner().invoke(app, arguments).stdout


@pytest.mark.parametrize("arguments", [[], ["--text", "x", "--incident", "1"]])
def test_one_thing_at_a_time(arguments: list[str]) -> None:
    """Nothing to explain, or two things, is a usage error before any model is loaded."""
    result = CliRunner().invoke(app, ["explain", *arguments])
    assert isinstance(result.exception, UsageError)
    assert "--incident" in str(result.exception)
