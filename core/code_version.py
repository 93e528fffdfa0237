"""Which code this is: what a model remembers of the software that trained it."""

import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
DISTRIBUTION: Final = "opinion-pipeline"
GIT_SECONDS: Final = 5.0


@cache
def code_version() -> str:
    """The release, and the git commit when this runs from a working copy of its own: `1.2.0+g0123456789ab`.

    A working copy with changes that are not committed adds `.dirty`: the commit alone does not bring it back.
    """
    try:
        release = version(DISTRIBUTION)
    except PackageNotFoundError:
        release = "0"
    if _git("rev-parse", "--show-toplevel") != str(ROOT):  # installed, perhaps inside somebody else's repository
        return release
    commit = _git("rev-parse", "--short=12", "HEAD")
    if not commit:
        return release
    dirty = ".dirty" if _git("status", "--porcelain", "--untracked-files=no") else ""
    return f"{release}+g{commit}{dirty}"


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
