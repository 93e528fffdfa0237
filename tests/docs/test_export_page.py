"""What the page on exports shows can be typed, and what it reads with is there."""

import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from opinion.cli import app
from storage.engine import connect
from tests.support.records import row, says
from tests.support.rows import store_rows

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "export-data.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^ {4}opinion (export .*)$", PAGE, re.MULTILINE)
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
MARCH = datetime(2026, 3, 1, 4, tzinfo=UTC)


def test_commands_write_rows_and_programs_read_them(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command of the page finds rows, and the page's programs read the files."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)
    engine = connect(database_url)
    store_rows(
        engine,
        [
            row(
                f"forum:{n}",
                n,
                text=f"=奶茶 {n}",
                topic_label="food",
                published_at=MARCH + n * timedelta(minutes=1),
                mentions=[says("奶茶")],
            )
            for n in range(9)
        ],
    )
    engine.dispose()
    assert len(COMMANDS) >= 5
    for command in COMMANDS:
        done = CliRunner().invoke(app, shlex.split(command), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        assert "9 rows" in done.stderr or "1 rows" in done.stderr or done.stdout.count("\n") > 1, command
    assert len(PROGRAMS) == 2
    for program in PROGRAMS:
        exec(compile(program, "export-data.md", "exec"), {})  # noqa: S102  # the page's own words
