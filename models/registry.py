"""The folders of model versions under `home/models/`. Which one is the champion is SQL's business, not ours."""

import hashlib
import shutil
from datetime import datetime
from pathlib import Path

import msgspec

from core.errors import CheckpointError, NotFoundError
from models.checkpoints import STARTER, resolve
from models.safety import WEIGHTS_FILE

VERSION_FILE = "version.json"
MODELS_FOLDER = "models"


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """`version.json` of a checkpoint folder.

    Attributes:
        version: `<day>-<8 hex of the weights' sha256>`, or `starter-<8 hex>`.
        parent: the version it was trained from.
    """

    version: str
    parent: str | None = None
    created_at: datetime
    weights_sha256: str


class ModelFolders:
    """Content-addressed checkpoint folders, one per version."""

    def __init__(self, home: Path) -> None:
        """Args:
        home: `Settings.home`; the folders lie under `home/models/`.
        """
        self._root = home / MODELS_FOLDER

    def add(self, checkpoint: Path, *, parent: str | None, created_at: datetime) -> ModelVersion:
        """Copy a trained checkpoint in and name it after its weights. Adding the same weights again is free.

        Raises:
            CheckpointError: the folder holds no safetensors weights.
        """
        stamped = stamp(checkpoint, f"{created_at:%Y%m%d}", parent=parent, created_at=created_at)
        target = self._root / stamped.version
        if not target.is_dir():
            self._root.mkdir(parents=True, exist_ok=True)
            unfinished = self._root / f".{stamped.version}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            for path in checkpoint.iterdir():
                if path.is_file():
                    shutil.copy2(path, unfinished / path.name)
            unfinished.rename(target)  # a reader sees the whole folder or none
        return stamped

    def path(self, version: str) -> Path:
        """The folder of a version; the starter's too, which lies in the package.

        Raises:
            NotFoundError: no such version here.
        """
        folder = self._root / version
        if version and Path(version).name == version and folder.is_dir():
            return folder
        starter = resolve(STARTER)
        if version in (STARTER, version_of(starter)):
            return starter
        raise NotFoundError(f"there is no model version {version}", remedy="`opinion models list` shows them")

    def get(self, version: str) -> ModelVersion:
        """Raises:
        NotFoundError: no such version here.
        """
        return read_version(self.path(version))

    def versions(self) -> list[ModelVersion]:
        """Every version, the starter among them, oldest first."""
        folders = [path for path in self._root.glob("*") if (path / VERSION_FILE).is_file() and path.name[0] != "."]
        found = [read_version(folder) for folder in (resolve(STARTER), *folders)]
        return sorted(found, key=lambda version: version.created_at)


def stamp(folder: Path, prefix: str, *, parent: str | None, created_at: datetime) -> ModelVersion:
    """Write `version.json` into a checkpoint folder; `prefix` and the weights make the name.

    Raises:
        CheckpointError: the folder holds no safetensors weights.
    """
    weights = folder / WEIGHTS_FILE
    if not weights.is_file():
        raise CheckpointError(f"{folder} holds no {WEIGHTS_FILE}")
    with weights.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    stamped = ModelVersion(
        version=f"{prefix}-{digest[:8]}", parent=parent, created_at=created_at, weights_sha256=digest
    )
    (folder / VERSION_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(stamped), indent=2) + b"\n")
    return stamped


def read_version(folder: Path) -> ModelVersion:
    """Raises:
    CheckpointError: `version.json` is missing or damaged.
    """
    try:
        return msgspec.json.decode((folder / VERSION_FILE).read_bytes(), type=ModelVersion)
    except (OSError, msgspec.MsgspecError) as error:
        raise CheckpointError(
            f"{folder} has no readable {VERSION_FILE}",
            remedy="`opinion models train` writes it; a folder from elsewhere is stamped when it is added",
        ) from error


def version_of(folder: Path) -> str:
    """The version's name; the folder's own name for a checkpoint that was never stamped, e.g. from a hub."""
    return read_version(folder).version if (folder / VERSION_FILE).is_file() else folder.name
