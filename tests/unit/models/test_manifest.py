import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import CheckpointError, UsageError
from models.checkpoints import load_checkpoint
from models.manifest import MANIFEST_FILE, measured, parsed, problems, read_manifest, safe_name
from models.registry import ModelFolders

DAY = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path) -> Path:
    """A version of a registry."""
    trained = Path(shutil.copytree(checkpoint, tmp_path / "trained"))
    folders = ModelFolders(tmp_path)
    return folders.path(folders.add(trained, parent=None, created_at=DAY).version)


def test_an_added_folder_is_intact_and_loads(folder: Path) -> None:
    """Every file is in the manifest, with what it holds."""
    manifest = read_manifest(folder)
    assert manifest is not None
    assert set(manifest.files) == {path.name for path in folder.iterdir()} - {MANIFEST_FILE}
    assert problems(folder) == []
    load_checkpoint(folder)


def flip(path: Path) -> None:
    """Change one bit, and neither size nor time."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[content.rfind(b"1")] ^= 1  # a number in JSON stays one
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_what_was_changed_is_not_loaded(folder: Path, name: str) -> None:
    """One flipped bit of anything that decides an opinion, in a file whose size and times did not change."""
    flip(folder / name)
    with pytest.raises(CheckpointError, match=f"{name} has other content") as caught:
        load_checkpoint(folder)
    assert "opinion models pull" in str(caught.value.remedy)


def test_a_missing_and_a_cut_off_file_are_told(folder: Path) -> None:
    """Each problem names its file and what is wrong with it."""
    (folder / "tokenizer_config.json").unlink()
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    found = problems(folder)
    assert "tokenizer_config.json is missing" in found
    assert any(line.startswith("model.safetensors has ") and "bytes instead of" in line for line in found)


def test_weights_that_are_not_those_of_the_version_are_refused_without_a_manifest(folder: Path) -> None:
    """A folder that was only stamped, as the one in the package, is held against the hash in its version.json."""
    (folder / MANIFEST_FILE).unlink()
    assert problems(folder) == []
    flip(folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"other content than version\.json says"):
        load_checkpoint(folder)


def test_a_card_may_come_later(folder: Path) -> None:
    """What people read decides no opinion: it does not stop a model from loading, and `verify` tells of it."""
    content = measured(folder).content_sha256
    (folder / "README.md").write_text("# A card", encoding="utf-8")
    load_checkpoint(folder)
    assert measured(folder).content_sha256 == content


@pytest.mark.parametrize("name", ["../weights", "a/b", ".hidden", "", "x" * 200, "manifest.json", "weights.pt"])
def test_a_manifest_that_names_a_path_is_refused(name: str) -> None:
    """It may come from elsewhere, and its names become file names here."""
    content = json.dumps({"files": {name: {"bytes": 1, "sha256": "0"}}}).encode()
    with pytest.raises(CheckpointError, match="no file of a model"):
        parsed(content, "there")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"files": {"a": 1}}', b"\xff"])
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    """With the place where it came from, and without a traceback."""
    with pytest.raises(CheckpointError, match="there cannot be read"):
        parsed(content, "there")


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "", "-x", ".x", "x\n"])
def test_a_version_is_never_a_path(name: str) -> None:
    """Names come from the command line, from SQL and from announcements."""
    with pytest.raises(UsageError):
        safe_name(name, "version")
