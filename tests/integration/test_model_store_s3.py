"""The store against a server that speaks S3 (moto, in this process), by the client that production uses."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import DependencyNotReadyError, NotFoundError
from models.manifest import problems
from models.model_store import ModelStore
from models.registry import ModelFolders
from tests.support.checkpoints import tiny_checkpoint

s3fs = pytest.importorskip("s3fs", reason="the package s3fs is not installed")
moto_server = pytest.importorskip("moto.server", reason="the packages moto and flask are not installed")

BUCKET = "models"
SECRET = "s3cr3t-of-the-store"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def url(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket, with everything the client needs in the environment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "opinion")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem(skip_instance_cache=True)
    if not files.exists(BUCKET):
        files.mkdir(BUCKET)
    yield f"s3://{BUCKET}/opinion"
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def version(tmp_path: Path) -> str:
    folders = ModelFolders(tmp_path / "here")
    trained = tiny_checkpoint(tmp_path / "trained")
    return folders.add(trained, parent=None, created_at=datetime(2026, 11, 22, tzinfo=UTC)).version


def test_a_model_goes_through_a_bucket(url: str, version: str, tmp_path: Path) -> None:
    """Pushed, found, fetched by another machine byte for byte, and removed."""
    here, there = ModelFolders(tmp_path / "here"), ModelFolders(tmp_path / "there")
    store = ModelStore(url, here)
    assert not store.has(version)
    with pytest.raises(NotFoundError):
        ModelStore(url, there).fetch(version)
    store.push(version)
    store.push(version)
    assert store.has(version)
    folder = ModelStore(url, there).fetch(version)
    assert problems(folder) == []
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        path.name for path in here.path(version).iterdir()
    )
    assert store.remove(version)
    assert not store.has(version)
    assert not store.remove(version)
    shutil.rmtree(folder)
    with pytest.raises(NotFoundError):
        ModelStore(url, there).fetch(version)


def test_a_store_that_refuses_is_told_without_its_secret(url: str, version: str, tmp_path: Path) -> None:
    """A bucket that is not there is not made, since its name may be a typing error."""
    folders = ModelFolders(tmp_path / "here")
    with pytest.raises(DependencyNotReadyError, match="s3://no-such-bucket") as caught:
        ModelStore("s3://no-such-bucket/opinion", folders).push(version)
    assert SECRET not in caught.value.message


def test_a_server_that_is_away_is_told(
    url: str, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a dependency that is not ready: exit code 3, and the scheduler tries again."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(DependencyNotReadyError, match="s3://models"):
        ModelStore(url, ModelFolders(tmp_path / "here")).has(version)
