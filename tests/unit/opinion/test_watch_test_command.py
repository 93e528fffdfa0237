import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.errors import ConfigError, NotFoundError
from opinion.cli import app
from streams.intake import derive_id

WATCH = """
watchlists:
- {name: 苹果, any: [苹果], exclude: [苹果汁]}
- {name: nobody, any: [zzz]}
- {name: weibo, any: [苹果], sources: [weibo], langs: [zh]}
"""
LINES = [
    {"id": "b", "text": "苹果汁好喝"},
    {"id": "a", "title": "苹果发布会", "text": "提供苹果汁", "source": "weibo"},
    {"text": "蘋果", "source": "news"},
    {"id": "ja", "text": "苹果", "source": "weibo", "lang": "ja"},
    {"id": "a", "text": "苹果 again"},
]


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """A watchlist file, and documents with a line that is none."""
    watch, documents = tmp_path / "watch.yaml", tmp_path / "docs.jsonl.gz"
    watch.write_text(WATCH, encoding="utf-8")
    lines = [json.dumps(line, ensure_ascii=False) for line in LINES]
    documents.write_bytes(gzip.compress("\n".join([lines[0], "{", *lines[1:]]).encode()))
    return str(watch), str(documents)


def test_ids_of_each_watchlist_in_the_order_of_the_file(files: tuple[str, str]) -> None:
    """Every watchlist of the file is there; a document without an id has the one that the intake gives it."""
    result = CliRunner().invoke(app, ["watch", "test", *files, "--json"], catch_exceptions=False)
    derived = derive_id("news", None, "蘋果")
    assert json.loads(result.stdout) == {"苹果": ["a", derived, "ja", "a"], "nobody": [], "weibo": ["a"]}
    assert "line 2: " in result.stderr


def test_examples_are_shown_on_one_line_and_without_escape_codes(tmp_path: Path) -> None:
    """Crawled text cannot move the cursor or colour the terminal; markup in it is text."""
    watch, documents = tmp_path / "watch.yaml", tmp_path / "docs.jsonl"
    watch.write_text("watchlists:\n- {name: '[red]x', any: [Acme]}\n", encoding="utf-8")
    documents.write_text(json.dumps({"id": "a", "text": "[bold]\u202eone\u2028two\nAcme\n\n[/]"}), encoding="utf-8")
    result = CliRunner().invoke(app, ["watch", "test", str(watch), str(documents)], catch_exceptions=False)
    assert "[red]x" in result.stdout
    assert "[bold]one two Acme" in result.stdout


def test_what_cannot_be_read_is_named(files: tuple[str, str], tmp_path: Path) -> None:
    """A bad watchlist file, and documents that are not there."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("watchlists:\n- name: a\n  any: [x]\n  query: 'NOT'\n", encoding="utf-8")
    error = CliRunner().invoke(app, ["watch", "test", str(bad), files[1]]).exception
    assert isinstance(error, ConfigError)
    assert f'{bad}:4: watchlists[0] ("a") query: not understood' in error.message
    error = CliRunner().invoke(app, ["watch", "test", files[0], str(tmp_path / "none.jsonl")]).exception
    assert isinstance(error, NotFoundError)
