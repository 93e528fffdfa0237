"""docs/how-to/operate-from-the-console.md does what it says."""

import re
from pathlib import Path

from typer.testing import CliRunner

from opinion.cli import app
from opinion.operating import FRESH_SECONDS
from opinion.scheduler import SHOW_EVERY
from tests.integration.test_dead_letter_topic import Scene, scene
from tests.support.records import raw
from web.routes.operations import MOST_AT_ONCE

__all__ = ["scene"]

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "operate-from-the-console.md").read_text(encoding="utf-8")
COMMANDS = [line.removeprefix("opinion ").split() for line in re.findall(r"^opinion .*$", PAGE, re.MULTILINE)]


def test_the_commands_do_what_the_buttons_do(scene: Scene) -> None:
    """Each runs on a system with a dead letter and one model; going back needs a champion before."""
    scene.fill((raw(b"{", 0, topic=scene.origin), "bad_json"))
    answers = {" ".join(command[:2]): CliRunner().invoke(app, command) for command in COMMANDS}
    assert "1 dead letters" in answers["dlq list"].stdout
    assert "1 records would be put back" in answers["dlq redrive"].stdout
    assert "starter" in answers["models list"].stdout
    assert "no earlier champion" in str(answers["models rollback"].exception)


def test_the_figures_are_those_of_the_code() -> None:
    """How much one press puts back, how often the broker is asked and the jobs are written down."""
    assert f"at most {MOST_AT_ONCE:,} at one press" in PAGE
    assert (FRESH_SECONDS, "every two seconds" in PAGE) == (2, True)
    assert (SHOW_EVERY.total_seconds(), "every five seconds" in PAGE) == (5, True)
