"""The folders of model versions under `home/models/`. Which one is the champion is SQL's business, not ours.

A folder appears in one piece, never changes in what is loaded from it, and is named after its content. No torch here.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from core.errors import CheckpointError, NotFoundError
from models.lineage import Lineage, ModelVersion, read_version, version_of, write_version
from models.manifest import (
    DISK_FULL,
    MANIFEST_FILE,
    NAME,
    VERSION_FILE,
    Manifest,
    is_told,
    measured,
    problems,
    read_manifest,
    write_manifest,
)
from models.safety import WEIGHTS_FILE

STARTER: Final = "starter"
STARTER_FOLDER: Final = Path(__file__).parent / "starter"
MODELS_FOLDER: Final = "models"
UNFINISHED: Final = ".unfinished-"
REMOVED: Final = ".removed-"
LEFT_OVER: Final = timedelta(days=1)  # no copy takes so long: whoever made it was killed


class ModelFolders:
    """Content-addressed checkpoint folders, one per version. Any number of processes may use them at once."""

    def __init__(self, home: Path) -> None:
        """Args:
        home: `Settings.home`; the folders lie under `home/models/`.
        """
        self.root = home / MODELS_FOLDER

    def add(self, checkpoint: Path, *, parent: str | None, created_at: datetime) -> ModelVersion:
        """Copy a trained checkpoint in and name it after its weights. Adding the same again is free.

        Raises:
            CheckpointError: the folder holds no safetensors weights, or the disk is full.
        """
        stamped = stamp(checkpoint, f"{created_at:%Y%m%d}", parent=parent, created_at=created_at)
        return self.keep(checkpoint, stamped)

    def adopt(self, checkpoint: Path, *, created_at: datetime) -> ModelVersion:
        """Copy a checkpoint in that was made elsewhere: under its own name if it has one that its weights bear out.

        Raises:
            CheckpointError: the folder holds no safetensors weights, or the disk is full.
        """
        content = measured(checkpoint)
        if WEIGHTS_FILE not in content.files:
            raise CheckpointError(f"{checkpoint} holds no {WEIGHTS_FILE}")
        digest = content.files[WEIGHTS_FILE].sha256
        named = _own_name(checkpoint, digest)
        return self.keep(
            checkpoint,
            named
            or ModelVersion(
                version=f"{created_at:%Y%m%d}-{digest[:8]}", created_at=created_at, weights_sha256=digest
            ),
        )

    def keep(self, checkpoint: Path, version: ModelVersion) -> ModelVersion:
        """Copy a folder in under this version, and write its manifest.

        The same weights with another config or tokenizer are another model: it gets the hash of its whole content as
        its name, when the one of the weights is taken.

        Raises:
            CheckpointError: the disk is full.
        """
        content = measured(checkpoint)
        if self._holds_another(version.version, content):
            name = f"{version.version.rpartition('-')[0]}-{content.content_sha256[:12]}"
            version = msgspec.structs.replace(version, version=name)
        if (self.root / version.version / MANIFEST_FILE).is_file():
            return self.get(version.version)
        with self.unfinished() as unfinished:
            for name in content.files:
                shutil.copyfile(checkpoint / name, unfinished / name)
            write_version(unfinished, version)
            write_manifest(unfinished, measured(unfinished))
            self.publish(unfinished, version.version)
        return self.get(version.version)

    def seal(self, version: str, lineage: Lineage) -> Manifest:
        """Write down how a version was made and judged, and take what came to the folder since into the manifest.

        Raises:
            NotFoundError: no such version here.
            CheckpointError: what is loaded from the folder is not what was added.
        """
        folder = self.path(version)
        before = read_manifest(folder) or measured(folder)
        if found := problems(folder, before.loaded):
            raise CheckpointError(f"{folder} has changed since it was added: {'; '.join(found)}")
        write_version(folder, msgspec.structs.replace(read_version(folder), lineage=lineage))
        manifest = measured(folder)
        write_manifest(folder, manifest)
        return manifest

    def path(self, version: str) -> Path:
        """The folder of a version; the starter's too, which lies in the package.

        Raises:
            NotFoundError: no such version here.
        """
        folder = self.root / version
        if NAME.fullmatch(version) and folder.is_dir():
            return folder
        if version in (STARTER, version_of(STARTER_FOLDER)):
            return STARTER_FOLDER
        raise NotFoundError(f"there is no model version {version}", remedy="`opinion models list` shows them")

    def get(self, version: str) -> ModelVersion:
        """Raises:
        NotFoundError: no such version here.
        """
        return read_version(self.path(version))

    def versions(self) -> list[ModelVersion]:
        """Every version, the starter among them, oldest first."""
        found = [read_version(folder) for folder in (STARTER_FOLDER, *self.folders())]
        return sorted(found, key=lambda version: version.created_at)

    def folders(self) -> list[Path]:
        """Of every version that lies here, the starter's excepted."""
        return [path for path in self.root.glob("*") if (path / VERSION_FILE).is_file() and NAME.fullmatch(path.name)]

    def remove(self, version: str) -> int:
        """Free the folder of a version; returns how many bytes. It disappears in one piece, so that nobody begins to
        load what is half gone; who has loaded it does not notice."""
        folder = self.root / version
        if not NAME.fullmatch(version) or not folder.is_dir():
            return 0
        size = _bytes_of(folder)
        grave = Path(tempfile.mkdtemp(prefix=REMOVED, dir=self.root))
        folder.rename(grave / version)
        shutil.rmtree(grave, ignore_errors=True)
        return size

    def left_over(self, now: datetime) -> list[Path]:
        """What processes that were killed have left half copied or half removed."""
        found = [path for kind in (UNFINISHED, REMOVED) for path in self.root.glob(f"{kind}*")]
        return [path for path in found if now.timestamp() - path.stat().st_mtime > LEFT_OVER.total_seconds()]

    @contextmanager
    def unfinished(self) -> Iterator[Path]:
        """A folder of this process's own beside the versions, for `publish`; it is gone afterwards.

        Raises:
            CheckpointError: the disk became full meanwhile.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.root))
        try:
            yield folder
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            raise CheckpointError(
                f"the disk of {self.root} is full, so the model was not kept there",
                remedy="make room: `opinion models gc` frees what no rollback needs",
            ) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, unfinished: Path, version: str) -> Path:
        """Let a finished folder appear as a version, in one piece and on the disk. Of several processes with the same
        version, one folder stays."""
        target = self.root / version
        _write_through(unfinished)
        unfinished.chmod(0o755)  # a temporary folder is its owner's alone
        try:
            unfinished.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        _sync(self.root)
        return target

    def _holds_another(self, version: str, content: Manifest) -> bool:
        """Whether a version of this name is here already, and other things would be loaded from it."""
        folder = self.root / version
        if not folder.is_dir():
            return False
        here = (read_manifest(folder) or measured(folder)).files
        return any(here.get(name) != entry for name, entry in content.files.items() if not is_told(name))


def stamp(folder: Path, prefix: str, *, parent: str | None, created_at: datetime) -> ModelVersion:
    """Write `version.json` into a checkpoint folder; `prefix` and the weights make the name.

    Raises:
        CheckpointError: the folder holds no safetensors weights.
    """
    weights = folder / WEIGHTS_FILE
    if not weights.is_file():
        raise CheckpointError(f"{folder} holds no {WEIGHTS_FILE}")
    digest = measured(folder).files[WEIGHTS_FILE].sha256
    stamped = ModelVersion(
        version=f"{prefix}-{digest[:8]}", parent=parent, created_at=created_at, weights_sha256=digest
    )
    write_version(folder, stamped)
    (folder / MANIFEST_FILE).unlink(missing_ok=True)  # of the folder that this one was made from
    return stamped


def _own_name(folder: Path, weights_sha256: str) -> ModelVersion | None:
    """What a folder from elsewhere says of itself, unless its name or its weights speak against it."""
    try:
        found = read_version(folder)
    except CheckpointError:
        return None
    is_true = found.weights_sha256 == weights_sha256 and found.version.endswith(f"-{weights_sha256[:8]}")
    return found if is_true and NAME.fullmatch(found.version) else None


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _write_through(folder: Path) -> None:
    for path in folder.iterdir():
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
