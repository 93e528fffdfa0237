"""A folder that files are put into: what is taken, when, and where it goes."""

import json
import os
from pathlib import Path

import pytest

from core.errors import DependencyNotReadyError, UsageError
from streams.sources.files import BadLine
from streams.sources.folder import Folder
from streams.sources.rejects import Rejects

SETTLE = 2.0


class Taker:
    """Notes what it is given; refuses files that say so."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.is_away = False

    def __call__(self, path: Path, rejects: Rejects) -> None:
        if self.is_away:
            raise DependencyNotReadyError("Kafka is away")
        self.taken.append(path.read_text())
        if "bad" in path.read_text():
            rejects.add(path.name, BadLine(1, "no text", "bad"))


@pytest.fixture
def take() -> Taker:
    return Taker()


def names(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.name != ".lock" and path.is_file()
    )


def test_a_file_is_taken_once_it_has_settled(tmp_path: Path, take: Taker) -> None:
    """One that still grows is left alone; one that has stood still for the time is read and moved to done/."""
    with Folder(tmp_path, SETTLE) as folder:
        (tmp_path / "a.jsonl").write_text("1")
        assert folder.work(take, 0.0) == 0
        (tmp_path / "a.jsonl").write_text("12")
        assert folder.work(take, 3.0) == 0
        assert folder.work(take, 4.0) == 0
        assert folder.work(take, 5.0) == 1
        assert folder.work(take, 9.0) == 0
    assert take.taken == ["12"]
    assert names(tmp_path) == ["done/a.jsonl"]


def test_names_of_unfinished_files_are_left_alone(tmp_path: Path, take: Taker) -> None:
    """Dot files and the suffixes of half-written files wait until they are renamed."""
    for name in (".a.jsonl", "b.jsonl.part", "c.csv.TMP"):
        (tmp_path / name).write_text("x")
    with Folder(tmp_path, SETTLE) as folder:
        assert [folder.work(take, at) for at in (0.0, 5.0)] == [0, 0]
        (tmp_path / "b.jsonl.part").rename(tmp_path / "b.jsonl")
        assert [folder.work(take, at) for at in (6.0, 9.0)] == [0, 1]
    assert names(tmp_path) == [".a.jsonl", "c.csv.TMP", "done/b.jsonl"]


def test_bad_lines_send_a_file_to_failed_with_the_reasons(tmp_path: Path, take: Taker) -> None:
    """Both stand side by side, and a second file of the same name replaces neither."""
    with Folder(tmp_path, SETTLE) as folder:
        for _ in range(2):
            (tmp_path / "a.csv").write_text("bad")
            folder.work(take, 0.0)
            folder.work(take, 5.0)
    found = names(tmp_path)
    assert found[-2:] == ["failed/a.csv", "failed/a.csv.reasons.jsonl"]
    assert len(found) == 4
    reason = json.loads((tmp_path / "failed/a.csv.reasons.jsonl").read_text())
    assert reason == {"file": "a.csv", "line": 1, "reason": "no text", "content": "bad"}


def test_a_file_in_hand_is_read_again(tmp_path: Path, take: Taker) -> None:
    """Whether the broker went away or the process was killed: it waits in .reading, before any new one."""
    with Folder(tmp_path, SETTLE) as folder:
        (tmp_path / "a.jsonl").write_text("first")
        folder.work(take, 0.0)
        take.is_away = True
        with pytest.raises(DependencyNotReadyError):
            folder.work(take, 5.0)
        assert names(tmp_path) == [".reading/a.jsonl"]
        (tmp_path / "a.jsonl").write_text("second")
        for at in (6.0, 9.0):
            with pytest.raises(DependencyNotReadyError):
                folder.work(take, at)
        assert names(tmp_path) == [".reading/a.jsonl", "a.jsonl"]
    take.is_away = False
    with Folder(tmp_path, SETTLE) as folder:
        assert [folder.work(take, at) for at in (0.0, 5.0)] == [1, 1]
    assert take.taken == ["first", "second"]


def test_links_are_never_followed(tmp_path: Path, take: Taker) -> None:
    """Links to files, to folders and in place of our own folders, pipes and subfolders: none is read."""
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret.jsonl").write_text("secret")
    (inside / "link.jsonl").symlink_to(outside / "secret.jsonl")
    (inside / "folder.jsonl").symlink_to(outside)
    (inside / "sub.jsonl").mkdir()
    os.mkfifo(inside / "pipe.jsonl")
    with Folder(inside, SETTLE) as folder:
        assert [folder.work(take, at) for at in (0.0, 5.0)] == [0, 0]
        (inside / ".reading" / "swapped.jsonl").symlink_to(outside / "secret.jsonl")
        folder.work(take, 6.0)
    assert take.taken == []
    assert (inside / "failed" / "swapped.jsonl").is_symlink()
    (inside / "done").rmdir()
    (inside / "done").symlink_to(outside)
    with pytest.raises(UsageError, match="link"), Folder(inside, SETTLE):
        pass


def test_only_one_process_follows_a_folder(tmp_path: Path) -> None:
    """A second one is told, and may come when the first has gone."""
    with Folder(tmp_path, SETTLE), pytest.raises(UsageError, match="another process"), Folder(tmp_path, SETTLE):
        pass
    with Folder(tmp_path, SETTLE):
        pass
