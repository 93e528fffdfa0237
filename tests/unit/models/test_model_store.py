import errno
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from core.errors import CheckpointError, ConfigError, DependencyNotReadyError, NotFoundError, UsageError
from models.manifest import problems, read_manifest
from models.model_store import ModelStore, masked
from models.registry import ModelFolders
from tests.support.disks import fill

DAY = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of its own, of each kind that needs no server."""
    return f"memory://store-{uuid4().hex}" if request.param == "memory" else f"file://{tmp_path}/shared store"


@pytest.fixture
def here(tmp_path: Path) -> ModelFolders:
    """The machine that trains."""
    return ModelFolders(tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> ModelFolders:
    """A machine with a worker."""
    return ModelFolders(tmp_path / "there")


@pytest.fixture
def version(checkpoint: Path, tmp_path: Path, here: ModelFolders) -> str:
    trained = Path(shutil.copytree(checkpoint, tmp_path / "trained"))
    return here.add(trained, parent=None, created_at=DAY).version


def test_what_is_pushed_can_be_fetched_elsewhere(
    url: str, version: str, here: ModelFolders, there: ModelFolders
) -> None:
    """Every byte, under the same name, and pushing and fetching again is free."""
    store = ModelStore(url, here)
    assert not store.has(version)
    store.push(version)
    store.push(version)
    assert store.has(version)
    folder = ModelStore(url, there).fetch(version)
    assert folder == there.path(version)
    assert problems(folder) == []
    assert read_manifest(folder) == read_manifest(here.path(version))
    assert ModelStore("memory://nowhere", there).fetch(version) == folder


def test_a_version_that_nobody_pushed_is_not_found(url: str, there: ModelFolders) -> None:
    """With the command that pushes it."""
    with pytest.raises(NotFoundError, match="neither in") as caught:
        ModelStore(url, there).fetch("20260101-00000000")
    assert caught.value.remedy is not None
    assert "opinion models push 20260101-00000000" in caught.value.remedy


def test_a_push_that_breaks_off_is_not_seen(
    url: str, version: str, here: ModelFolders, there: ModelFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest comes last: before it the version is not there, and the next push completes it."""
    store = ModelStore(url, here)
    files, _ = store._open()
    put = type(files).put_file

    def break_off(self: Any, path: str, target: str, **more: Any) -> None:
        if path.endswith("version.json"):
            raise ConnectionError("the line is cut")
        put(self, path, target, **more)

    monkeypatch.setattr(type(files), "put_file", break_off)
    with pytest.raises(DependencyNotReadyError, match="the line is cut"):
        store.push(version)
    with pytest.raises(NotFoundError):
        ModelStore(url, there).fetch(version)
    monkeypatch.undo()
    store.push(version)
    assert problems(ModelStore(url, there).fetch(version)) == []


def test_what_was_changed_in_the_store_is_not_used(
    url: str, version: str, here: ModelFolders, there: ModelFolders
) -> None:
    """Neither a changed file, nor another model under the same name, nor one that says it is another version."""
    store = ModelStore(url, here)
    store.push(version)
    files, root = store._open()
    right = read_manifest(here.path(version))
    assert right is not None
    with pytest.raises(CheckpointError, match="another model under the name"):
        ModelStore(url, there).fetch(version, content_sha256="0" * 64)
    files.pipe_file(f"{root}/{version}/config.json", b"{}")
    with pytest.raises(CheckpointError, match=r"came damaged.*config\.json"):
        ModelStore(url, there).fetch(version, content_sha256=right.content_sha256)
    files.mv(f"{root}/{version}", f"{root}/20200101-11111111", recursive=True)
    store.push(version)
    for path in files.ls(f"{root}/{version}", detail=False):
        files.cp_file(path, f"{root}/20200101-11111111/{path.rpartition('/')[2]}")
    with pytest.raises(CheckpointError, match="says that it is"):
        ModelStore(url, there).fetch("20200101-11111111")
    assert there.folders() == []
    assert [path.name for path in there.root.iterdir() if not path.name.endswith(".lock")] == []


def test_a_manifest_that_names_a_path_writes_nothing_outside(
    url: str, version: str, here: ModelFolders, there: ModelFolders
) -> None:
    """Who can write to the store must not write anywhere else."""
    store = ModelStore(url, here)
    store.push(version)
    files, root = store._open()
    files.pipe_file(f"{root}/{version}/manifest.json", b'{"files": {"../../evil": {"bytes": 1, "sha256": "0"}}}')
    with pytest.raises(CheckpointError, match="no file of a model"):
        ModelStore(url, there).fetch(version)
    with pytest.raises(UsageError):
        ModelStore(url, there).fetch("../here")


def test_a_damaged_folder_is_not_pushed(url: str, version: str, here: ModelFolders) -> None:
    """Or it would be damaged everywhere."""
    (here.path(version) / "model.safetensors").write_bytes(b"other")
    with pytest.raises(CheckpointError, match="not pushed"):
        ModelStore(url, here).push(version)
    assert not ModelStore(url, here).has(version)


def test_one_fetches_and_the_others_wait(
    url: str, version: str, here: ModelFolders, there: ModelFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four workers of one machine hear the announcement at once: each file crosses the network once."""
    ModelStore(url, here).push(version)
    files, _ = ModelStore(url, here)._open()
    get, fetched = type(files).get_file, []

    def counted(self: Any, path: str, target: Any, **more: Any) -> None:
        fetched.append(path)
        get(self, path, target, **more)

    monkeypatch.setattr(type(files), "get_file", counted)
    start, found = threading.Barrier(4), []

    def worker() -> None:
        start.wait(10)
        found.append(ModelStore(url, there).fetch(version))

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [there.path(version)] * 4
    assert len(fetched) == len(set(fetched)) == len(list(here.path(version).iterdir()))


def test_too_little_room_is_told_before_anything_is_fetched(
    version: str, here: ModelFolders, there: ModelFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that makes room."""
    url = f"memory://store-{uuid4().hex}"
    ModelStore(url, here).push(version)
    monkeypatch.setattr("models.model_store.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(CheckpointError, match="MB left") as caught:
        ModelStore(url, there).fetch(version)
    assert "opinion models gc" in str(caught.value.remedy)


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(
    version: str,
    here: ModelFolders,
    tiny_disk: Callable[[int], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a real file system without room: a clear error, no half version, and the next try succeeds."""
    url = f"memory://store-{uuid4().hex}"
    ModelStore(url, here).push(version)
    disk = tiny_disk(2_000_000)
    monkeypatch.setattr("models.model_store.SPARE_BYTES", -10_000_000)  # as if the room went after the look at it
    there = ModelFolders(disk)
    there.root.mkdir()
    ballast = fill(disk, but=16_384)
    with pytest.raises(CheckpointError, match="full"):
        ModelStore(url, there).fetch(version)
    assert there.folders() == []
    assert there.left_over(datetime(2099, 1, 1, tzinfo=UTC)) == []
    ballast.unlink()
    assert problems(ModelStore(url, there).fetch(version)) == []


def test_what_is_removed_from_the_store_is_gone(url: str, version: str, here: ModelFolders) -> None:
    """And removing it again does no harm."""
    store = ModelStore(url, here)
    store.push(version)
    assert store.remove(version)
    assert not store.has(version)
    assert not store.remove(version)
    store.push(version)
    assert store.has(version)


def test_an_unknown_kind_of_store_names_the_setting(here: ModelFolders) -> None:
    """A typing error in the URL is a wrong setting, not a crash."""
    with pytest.raises(ConfigError, match="OPINION_REGISTRY__URL"):
        ModelStore("s4://bucket", here).has("20260101-00000000")


def test_credentials_are_never_shown(here: ModelFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither as the store's place nor inside what a library says."""
    url = "memory://key:s3cr3t@bucket/models?token=abc"
    assert masked(url) == "memory://***@bucket/models"

    def refuse(*_: Any, **__: Any) -> bool:
        raise OSError(errno.EIO, f"cannot open {url} as s3cr3t")

    monkeypatch.setattr(MemoryFileSystem, "exists", refuse)
    with pytest.raises(DependencyNotReadyError) as caught:
        ModelStore(url, here).has("20260101-00000000")
    assert "s3cr3t" not in caught.value.message
    assert "***@bucket" in caught.value.message
