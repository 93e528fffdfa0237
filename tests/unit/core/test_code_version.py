import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import code_version as module
from core.code_version import code_version


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    code_version.cache_clear()
    yield
    code_version.cache_clear()


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(["git", "-C", folder, *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working copy with one commit, which the package runs from."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "code.py").write_text("a", encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    monkeypatch.setattr(module, "ROOT", tmp_path.resolve())
    return tmp_path


def test_a_working_copy_names_its_commit(copy: Path) -> None:
    """And says when there are changes that the commit does not have."""
    commit = git(copy, "rev-parse", "--short=12", "HEAD")
    assert code_version().endswith(f"+g{commit}")
    code_version.cache_clear()
    (copy / "code.py").write_text("b", encoding="utf-8")
    assert code_version().endswith(f"+g{commit}.dirty")


def test_an_installed_package_does_not_take_the_commit_of_whatever_it_lies_in(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual environment often lies inside the repository of another project."""
    inside = copy / "site-packages"
    inside.mkdir()
    monkeypatch.setattr(module, "ROOT", inside.resolve())
    assert "+g" not in code_version()


def test_without_git_there_is_the_release(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container image."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert "+g" not in code_version()
