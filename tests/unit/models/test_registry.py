import errno
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from core.errors import CheckpointError, NotFoundError
from models.lineage import Lineage, read_version, version_of, write_version
from models.manifest import problems, read_manifest
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


def test_equal_weights_with_another_config_are_another_version(trained: Path, tmp_path: Path) -> None:
    """Other temperatures give other scores, so the two must not share a name."""
    folders = ModelFolders(tmp_path)
    first = folders.add(trained, parent=None, created_at=DAY)
    config = trained / "config.json"
    config.write_text(config.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    second = folders.add(trained, parent=None, created_at=DAY)
    assert second.version != first.version
    assert second.weights_sha256 == first.weights_sha256
    assert folders.add(trained, parent=None, created_at=DAY) == second
    assert len(folders.folders()) == 2


def test_processes_that_add_the_same_at_once_end_with_one_folder(trained: Path, tmp_path: Path) -> None:
    """Each gets the version, no reader sees half of it, and nothing is left over."""
    copies = [Path(shutil.copytree(trained, tmp_path / f"copy{nth}")) for nth in range(2)]
    program = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from models.registry import ModelFolders\n"
        "sys.stdin.readline()\n"
        "print(ModelFolders(Path(sys.argv[2])).add(Path(sys.argv[1]), parent=None,"
        " created_at=datetime(2026, 11, 22, tzinfo=UTC)).version)"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(copy), str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for copy in copies
    ]
    answers = {process.communicate("go\n", timeout=60)[0].strip() for process in started}
    assert [process.returncode for process in started] == [0, 0]
    assert len(answers) == 1
    assert [path.name for path in (tmp_path / "models").iterdir()] == list(answers)
    assert problems(tmp_path / "models" / answers.pop()) == []


def test_a_copy_that_fails_is_never_visible(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that becomes full is told, and leaves neither a version nor rubbish."""
    folders = ModelFolders(tmp_path)
    seen = []

    def full(source: Path, target: Path) -> None:
        seen.extend(folders.folders())
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("models.registry.shutil.copyfile", full)
    with pytest.raises(CheckpointError, match="full"):
        folders.add(trained, parent=None, created_at=DAY)
    assert seen == []
    assert list((tmp_path / "models").iterdir()) == []


def test_a_seal_keeps_where_a_version_comes_from(trained: Path, tmp_path: Path) -> None:
    """Lineage goes into version.json, later files into the manifest; what is loaded keeps its content hash."""
    folders = ModelFolders(tmp_path)
    version = folders.add(trained, parent="starter-00000000", created_at=DAY).version
    before = read_manifest(folders.path(version))
    (folders.path(version) / "README.md").write_text("# A card", encoding="utf-8")
    lineage = Lineage(
        snapshot_hash="aa", code_version="1.0", training_run=3, options={"seed": 7}, metrics={"f1": 0.5}
    )
    sealed = folders.seal(version, lineage)
    assert before is not None
    assert sealed.content_sha256 == before.content_sha256
    assert "README.md" in sealed.files
    assert folders.get(version).lineage == lineage
    assert problems(folders.path(version)) == []


def test_what_changed_since_it_was_added_is_not_sealed(trained: Path, tmp_path: Path) -> None:
    """A seal must not make other weights look right."""
    folders = ModelFolders(tmp_path)
    version = folders.add(trained, parent=None, created_at=DAY).version
    (folders.path(version) / "model.safetensors").write_bytes(b"other")
    with pytest.raises(CheckpointError, match="changed"):
        folders.seal(version, Lineage())


def test_a_checkpoint_from_elsewhere_keeps_a_name_that_its_weights_bear_out(trained: Path, tmp_path: Path) -> None:
    """And gets one of ours when its version.json tells of other weights, or names a path."""
    folders = ModelFolders(tmp_path)
    named = stamp(trained, "theirs", parent="x", created_at=DAY)
    assert folders.adopt(trained, created_at=DAY) == named
    for lie in (f"../../etc-{named.weights_sha256[:8]}", "theirs-00000000"):
        write_version(trained, msgspec.structs.replace(named, version=lie))
        assert folders.adopt(trained, created_at=DAY).version == f"20261122-{named.weights_sha256[:8]}"


def test_a_removed_version_is_gone_in_one_piece(trained: Path, tmp_path: Path) -> None:
    """Its bytes are counted; a name that leads elsewhere removes nothing."""
    folders = ModelFolders(tmp_path)
    version = folders.add(trained, parent=None, created_at=DAY).version
    assert folders.remove("../trained") == 0
    assert folders.remove(version) > 1000
    assert trained.is_dir()
    assert list((tmp_path / "models").iterdir()) == []


def test_what_killed_processes_left_is_found_a_day_later(tmp_path: Path) -> None:
    """Not sooner: another process may be at work on it."""
    folders = ModelFolders(tmp_path)
    left = tmp_path / "models" / ".unfinished-abc"
    left.mkdir(parents=True)
    now = datetime.now(UTC)
    assert folders.left_over(now) == []
    assert folders.left_over(now + timedelta(days=1, minutes=1)) == [left]
