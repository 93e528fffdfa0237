import io

import pytest
from rich.console import Console

from models.evaluation import by_language, evaluate
from opinion.commands.model_figures import print_figures
from tests.unit.models.test_evaluation import OPINIONS, ROWS


def printed(width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_figures(console, "v1", {"a.jsonl": evaluate(ROWS, OPINIONS)}, {"a.jsonl": by_language(ROWS, OPINIONS)})
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_matrix_stands_in_a_wide_terminal() -> None:
    """One line per true class, empty cells as dots."""
    lines = [line.split() for line in printed(160).splitlines()]
    assert ["positive", "·", "1", "1"] in lines


def test_a_narrow_terminal_lists_what_is_confused_most() -> None:
    """A matrix that wraps cannot be read."""
    text = printed(24).replace("\n", " ")
    assert "positive as neutral 1" in " ".join(text.split())
    assert "·" not in text


@pytest.mark.parametrize("line", ["sentiment all 3 0.667 1.000", "zh 2 1.000 1.000", "en 1 0.000"])
def test_the_summary_comes_last_with_every_language(line: str) -> None:
    """What stays on the screen is the comparison of all files."""
    summary = printed(160).split("v1")[-1]
    assert line in " ".join(summary.split())
