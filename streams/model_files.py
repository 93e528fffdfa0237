"""The files of a model on this machine, wherever it was trained."""

from pathlib import Path

from sqlalchemy import Engine

from core.errors import CheckpointError, OpinionError
from core.settings import Settings
from models.model_store import ModelStore
from models.registry import ModelFolders
from storage import model_versions


def model_store(settings: Settings) -> ModelStore | None:
    """The configured one; opens nothing yet."""
    url = settings.registry.url
    return ModelStore(url.get_secret_value(), ModelFolders(settings.home.resolve())) if url else None


def brought_here(path: str, engine: Engine, *, home: Path, store: ModelStore | None) -> str:
    """Where the model that SQL knows by this path lies on this machine; it is fetched from the store when it is not
    here. Blocks for as long as that takes.

    Args:
        path: of `model_version`, or a configured checkpoint, which is given back as it is.
        home: `Settings.home`.

    Raises:
        CheckpointError: it is not here and cannot be fetched, or what was fetched is not that model.
    """
    folder = Path(path)
    if not folder.is_absolute() or folder.is_dir():
        return path
    here = ModelFolders(home.resolve()).root / folder.name
    if here.is_dir():
        return str(here)
    if store is None:
        raise CheckpointError(
            f"the folder {path} is not on this machine",
            remedy="copy it here, or let machines share a store: OPINION_REGISTRY__URL",
        )
    try:
        with engine.connect() as connection:
            known = model_versions.find(connection, folder.name)
        return str(store.fetch(known.version, content_sha256=known.content_sha256))
    except OpinionError as error:
        raise CheckpointError(
            f"{folder.name} is not on this machine and cannot be fetched: {error.message}", remedy=error.remedy
        ) from error
