"""The examples of a how-to page, run as a reader would."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def examples(page: str) -> list[tuple[str, str]]:
    """Language and text of every fenced block of `docs/how-to/<page>` that can be run."""
    text = (ROOT / "docs" / "how-to" / page).read_text(encoding="utf-8")
    return re.findall(r"^```(bash|python)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


class Reader:
    """Types examples in a folder of its own, where `opinion` is this checkout's."""

    def __init__(self, folder: Path, environment: Mapping[str, str], replaced: Mapping[str, str]) -> None:
        """Args:
        replaced: what the page calls by a name that this test cannot use, such as a port.
        """
        self.folder = folder
        self._replaced = replaced
        programs = folder / ".programs"
        programs.mkdir()
        opinion = programs / "opinion"
        opinion.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m opinion.cli "$@"\n')
        opinion.chmod(0o755)
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        self._env = {**os.environ, **environment, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}

    def types(self, example: tuple[str, str]) -> str:
        """Run it; returns what it prints. A command that fails fails the test."""
        language, text = example
        for name, other in self._replaced.items():
            text = text.replace(name, other)
        program = ["bash", "-euo", "pipefail", "-c"] if language == "bash" else [sys.executable, "-c"]
        done = subprocess.run(
            [*program, text], cwd=self.folder, env=self._env, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
