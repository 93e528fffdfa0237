"""Whether the files of a version are on this machine, and are those that were registered."""

from pathlib import Path

from core.errors import CheckpointError, NotFoundError, OpinionError
from models.manifest import measured, problems, read_manifest
from models.registry import STARTER, STARTER_FOLDER, ModelFolders
from storage.model_versions import ModelVersion


def folder_of(version: ModelVersion, home: Path) -> Path | None:
    """Where its files are on this machine; None when they are not."""
    places = (
        STARTER_FOLDER if version.path == STARTER else Path(version.path),
        ModelFolders(home.resolve()).root / version.version,
    )
    return next((place for place in places if place.is_dir()), None)


def damage(version: ModelVersion, folder: Path) -> list[str]:
    """What is wrong with its files, one line for each; empty for intact ones. Reads every byte."""
    try:
        manifest = read_manifest(folder)
        if found := problems(folder, manifest):
            return found
        content = (manifest or measured(folder)).content_sha256
    except (OpinionError, OSError) as error:
        return [str(error)]
    if version.content_sha256 not in (None, content):
        return ["it holds another model than the one that was registered under this name"]
    return []


def require_intact(version: ModelVersion, home: Path) -> Path:
    """The folder of a version that may classify.

    Raises:
        NotFoundError: its files are not on this machine.
        CheckpointError: they were changed.
    """
    folder = folder_of(version, home)
    if folder is None:
        gone = f" (removed on {version.files_gone_at:%Y-%m-%d})" if version.files_gone_at else ""
        raise NotFoundError(
            f"the folder of {version.version} is gone{gone}: {version.path}",
            remedy=f"bring it back: opinion models pull {version.version}",
        )
    if found := damage(version, folder):
        raise CheckpointError(
            f"the files of {version.version} in {folder} are damaged: {'; '.join(found)}",
            remedy=f"bring them again: opinion models pull {version.version}",
        )
    return folder
