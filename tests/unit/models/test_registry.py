import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.errors import CheckpointError, NotFoundError
from models.lineage import read_version, version_of
from models.registry import ModelFolders, stamp

DAY = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.fixture
def trained(checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "trained"))


def test_a_version_is_named_after_its_weights(trained: Path, tmp_path: Path) -> None:
    """Equal weights are one version, whoever trained them."""
    folders = ModelFolders(tmp_path / "home")
    first = folders.add(trained, parent="starter-00000000", created_at=DAY)
    again = folders.add(trained, parent="starter-00000000", created_at=DAY)
    assert first == again
    assert first.version == f"20261122-{first.weights_sha256[:8]}"
    assert [path.name for path in (tmp_path / "home" / "models").iterdir()] == [first.version]


def test_a_version_keeps_its_parent_and_can_be_loaded(trained: Path, tmp_path: Path) -> None:
    """Lineage travels in the folder."""
    folders = ModelFolders(tmp_path)
    added = folders.add(trained, parent="starter-00000000", created_at=DAY)
    assert read_version(folders.path(added.version)).parent == "starter-00000000"
    assert folders.get(added.version) == added
    assert (folders.path(added.version) / "model.safetensors").is_file()


def test_work_files_of_the_training_stay_behind(trained: Path, tmp_path: Path) -> None:
    """Only the finished checkpoint is kept, not the optimiser's state."""
    (trained / "training" / "checkpoint-1").mkdir(parents=True)
    folders = ModelFolders(tmp_path)
    added = folders.add(trained, parent=None, created_at=DAY)
    assert not (folders.path(added.version) / "training").exists()


@pytest.mark.parametrize("version", ["20200101-00000000", "../trained", ""])
def test_an_unknown_version_is_not_found(trained: Path, tmp_path: Path, version: str) -> None:
    """Also when its name would lead out of the folder."""
    folders = ModelFolders(tmp_path)
    folders.add(trained, parent=None, created_at=DAY)
    with pytest.raises(NotFoundError):
        folders.path(version)


def test_versions_come_oldest_first(trained: Path, tmp_path: Path) -> None:
    """The starter, which comes with the package, is one of them."""
    folders = ModelFolders(tmp_path)
    added = folders.add(trained, parent=None, created_at=datetime.now(UTC) + timedelta(days=9999))
    versions = folders.versions()
    assert versions[0].version.startswith("starter-")
    assert versions[-1] == added


def test_a_folder_without_weights_is_no_version(tmp_path: Path) -> None:
    """Nothing is stamped that cannot be loaded."""
    with pytest.raises(CheckpointError):
        stamp(tmp_path, "starter", parent=None, created_at=DAY)


def test_an_unstamped_checkpoint_goes_by_its_folder(trained: Path) -> None:
    """A hub checkpoint has no version.json of ours."""
    assert version_of(trained) == "trained"
