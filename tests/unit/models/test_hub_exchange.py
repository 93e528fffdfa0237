"""The real client of `huggingface_hub` against a hub on loopback, see `tests.support.model_hub`."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import CheckpointError, ConfigError, DependencyNotReadyError, NotFoundError, UsageError
from models.checkpoints import load_checkpoint
from models.hub_exchange import pull_folder, push_folder, split_revision
from models.manifest import read_manifest
from models.registry import ModelFolders
from tests.support.consoles import serving
from tests.support.model_hub import COMMIT, ModelHub

# huggingface_hub 1.16 gives httpx raw bytes in the old way
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

TOKEN = "hf_right"
REPO = "team/opinion"


@pytest.fixture(scope="module")
def hub() -> Iterator[tuple[ModelHub, str]]:
    hub = ModelHub(TOKEN)
    with serving(hub.app) as address:
        yield hub, address


@pytest.fixture(autouse=True)
def _known_hub(hub: tuple[ModelHub, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub[0].private.clear()
    hub[0].sent.clear()
    monkeypatch.setenv("HF_ENDPOINT", hub[1])
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no token"))


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path) -> Path:
    """A version with a card, texts of people and a stray pickle."""
    trained = Path(shutil.copytree(checkpoint, tmp_path / "trained"))
    (trained / "README.md").write_text("# A card", encoding="utf-8")
    for name in ("replay.jsonl.gz", "gate-examples.jsonl", "gate.json", "optimizer.pt"):
        (trained / name).write_bytes(b"texts of people")
    folders = ModelFolders(tmp_path)
    return folders.path(folders.add(trained, parent=None, created_at=datetime(2026, 11, 22, tzinfo=UTC)).version)


def test_a_model_goes_to_a_hub_and_comes_back(hub: tuple[ModelHub, str], folder: Path, tmp_path: Path) -> None:
    """Private, with its card, without texts and pickles; what comes back is intact, loads, and is the same model."""
    assert push_folder(folder, REPO, message="a model").endswith(f"/{REPO}/commit/{COMMIT}")
    assert hub[0].private == {REPO: True}
    sent = hub[0].sent[REPO]
    assert {"README.md", "config.json", "model.safetensors", "version.json", "manifest.json"} <= set(sent)
    assert not {"replay.jsonl.gz", "gate-examples.jsonl", "gate.json", "optimizer.pt"} & set(sent)
    into = tmp_path / "pulled"
    into.mkdir()
    assert pull_folder(REPO, None, into) == COMMIT
    load_checkpoint(into)
    before, after = read_manifest(folder), read_manifest(into)
    assert before is not None
    assert after is not None
    assert before.content_sha256 == after.content_sha256


def test_a_public_repository_gets_nothing_by_accident(hub: tuple[ModelHub, str], folder: Path) -> None:
    """One that exists and is public is refused, unless that is what was asked for."""
    hub[0].private[REPO], hub[0].sent[REPO] = False, {}
    with pytest.raises(UsageError, match="is public"):
        push_folder(folder, REPO, message="a model")
    assert hub[0].sent[REPO] == {}
    push_folder(folder, REPO, message="a model", is_public=True)
    assert "model.safetensors" in hub[0].sent[REPO]


def test_pickles_and_code_do_not_come_in(hub: tuple[ModelHub, str], folder: Path, tmp_path: Path) -> None:
    """A repository of pickled weights is refused, and so is one whose config names code."""
    push_folder(folder, REPO, message="a model")
    sent = hub[0].sent[REPO]
    code = {**sent, "config.json": b'{"auto_map": {"AutoModel": "evil.Model"}}'}
    pickled = {"config.json": b"{}", "pytorch_model.bin": b"a pickle"}
    for nth, files in enumerate((code, pickled)):
        hub[0].sent[REPO] = files
        into = tmp_path / f"pulled{nth}"
        into.mkdir()
        with pytest.raises(CheckpointError):
            pull_folder(REPO, None, into)
        assert not (into / "pytorch_model.bin").exists()


def test_what_is_not_there_is_not_found(folder: Path, tmp_path: Path) -> None:
    """An unknown repository, and an unknown revision of a known one."""
    with pytest.raises(NotFoundError, match="knows no team/nothing"):
        pull_folder("team/nothing", None, tmp_path)
    push_folder(folder, REPO, message="a model")
    with pytest.raises(NotFoundError, match="has no revision v9"):
        pull_folder(REPO, "v9", tmp_path)


def test_a_token_is_asked_for(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing one before anything is sent; a wrong one is told as such."""
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(ConfigError, match="401") as wrong:
        push_folder(folder, REPO, message="a model")
    assert "HF_TOKEN" in str(wrong.value.remedy)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ConfigError, match="no token"):
        push_folder(folder, REPO, message="a model")


def test_a_hub_that_does_not_answer_is_told(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways, with what to check."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for ask in (lambda: push_folder(folder, REPO, message="x"), lambda: pull_folder(REPO, None, tmp_path)):
        with pytest.raises(DependencyNotReadyError, match="the model hub does not") as caught:
            ask()
        assert "HF_ENDPOINT" in str(caught.value.remedy)


@pytest.mark.parametrize("name", ["opinion", "../x/y", "a/b/c", "team/..", ""])
def test_a_wrong_name_is_refused(name: str, tmp_path: Path) -> None:
    """Before anything is asked."""
    with pytest.raises(UsageError, match="no repository"):
        pull_folder(name, None, tmp_path)


def test_a_revision_stands_after_the_name() -> None:
    """As hubs write it."""
    assert split_revision("team/opinion@v3") == ("team/opinion", "v3")
    assert split_revision("team/opinion") == ("team/opinion", None)
