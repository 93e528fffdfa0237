"""Where a model comes from: `version.json` of its folder."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from core.errors import CheckpointError
from models.manifest import VERSION_FILE


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """How a version was made; what is not known stays empty.

    Attributes:
        snapshot_hash: of the labels it learned from.
        code_version: of this package, see `core.code_version`.
        training_run: the number of the retrain run.
        options: of the training, such as seed and learning rate.
        metrics: what it was judged by.
    """

    snapshot_hash: str | None = None
    code_version: str | None = None
    training_run: int | None = None
    options: dict[str, Any] = {}
    metrics: dict[str, Any] = {}


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
    lineage: Lineage = Lineage()


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


def write_version(folder: Path, version: ModelVersion) -> None:
    """In one piece."""
    unfinished = folder / f".{VERSION_FILE}"
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(version), indent=2) + b"\n")
    unfinished.replace(folder / VERSION_FILE)


def version_of(folder: Path) -> str:
    """The version's name; the folder's own name for a checkpoint that was never stamped, e.g. from a hub."""
    return read_version(folder).version if (folder / VERSION_FILE).is_file() else folder.name
