"""Models to and from a model hub, by `huggingface_hub`: the card goes along, people's texts do not, and neither
pickles nor code of its own come in."""

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import httpx
import msgspec
from huggingface_hub import CommitOperationAdd, HfApi, get_token
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import disable_progress_bars, validate_repo_id  # type: ignore[attr-defined]  # no `__all__`

from core.errors import CheckpointError, ConfigError, DependencyNotReadyError, NotFoundError, UsageError
from models.hub import SAFE_FILES, SUBFOLDERS
from models.manifest import DISK_FULL, MANIFEST_FILE, Manifest, measured, problems, read_manifest
from models.safety import refuse_unsafe

PUBLISHED: Final = (*SAFE_FILES, "*.svg", "*.png")
KEPT_BACK: Final = ("gate*",)  # the gate's record quotes texts


def push_folder(folder: Path, repo: str, *, message: str, is_public: bool = False) -> str:
    """Upload a model; returns the address of the commit. Only data files go, and of these none with texts of people.

    Args:
        repo: `owner/name`; made if there is none, and private.
        is_public: make it public, or allow that it is.

    Raises:
        UsageError: `repo` is no name of a repository, or is public.
        CheckpointError: the folder holds no model, or a damaged one.
        ConfigError: there is no token.
        DependencyNotReadyError: the hub does not take it.
    """
    _require_repo(repo)
    refuse_unsafe(folder)
    manifest = read_manifest(folder) or measured(folder)
    if found := problems(folder, manifest):
        raise CheckpointError(f"{folder} is damaged and is not pushed: {'; '.join(found)}")
    if get_token() is None:
        raise ConfigError("there is no token for the model hub", remedy="set HF_TOKEN to one with write access")
    sent = Manifest({name: entry for name, entry in manifest.files.items() if is_published(name)})
    files = [CommitOperationAdd(name, str(folder / name)) for name in sent.files]
    files.append(CommitOperationAdd(MANIFEST_FILE, msgspec.json.format(msgspec.json.encode(sent), indent=2) + b"\n"))
    disable_progress_bars()
    hub = _hub()
    try:
        hub.create_repo(repo, private=not is_public, exist_ok=True)
        if not is_public and hub.model_info(repo).private is False:
            raise UsageError(
                f"{repo} is public: everybody could read the model", remedy="name another one, or say --public"
            )
        return hub.create_commit(repo, files, commit_message=message).commit_url
    except (HfHubHTTPError, httpx.HTTPError, OfflineModeIsEnabled, RuntimeError, OSError) as error:
        raise _refusal(repo, "take the model", error) from error


def pull_folder(repo: str, revision: str | None, into: Path) -> str:
    """Download the data files of a model, and check that they are nothing else; returns the commit.

    Raises:
        UsageError: `repo` is no name of a repository.
        NotFoundError: the hub has no such repository or revision, or keeps it private.
        CheckpointError: it holds no model, only pickled weights, or a model that runs code of its own.
        DependencyNotReadyError: the hub does not answer.
        OSError: the disk is full.
    """
    _require_repo(repo)
    disable_progress_bars()
    hub = _hub()
    try:
        commit = hub.model_info(repo, revision=revision).sha or ""
        hub.snapshot_download(
            repo, revision=commit, local_dir=into, allow_patterns=list(PUBLISHED), ignore_patterns=SUBFOLDERS
        )
    except RevisionNotFoundError as error:
        raise NotFoundError(f"{repo} has no revision {revision}", remedy="name a branch, tag or commit") from error
    except RepositoryNotFoundError as error:
        raise NotFoundError(
            f"the model hub knows no {repo}, or keeps it private", remedy="check the spelling; or set HF_TOKEN"
        ) from error
    except (
        HfHubHTTPError,
        httpx.HTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RuntimeError,
        OSError,
    ) as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            raise
        raise _refusal(repo, "give the model", error) from error
    refuse_unsafe(into)
    return commit


def is_published(name: str) -> bool:
    """Whether a file of a model's folder goes to a hub."""
    return any(fnmatchcase(name, kind) for kind in PUBLISHED) and not any(
        fnmatchcase(name, kind) for kind in KEPT_BACK
    )


def split_revision(reference: str) -> tuple[str, str | None]:
    """`owner/name@revision` in its parts."""
    repo, _, revision = reference.partition("@")
    return repo, revision or None


def _require_repo(repo: str) -> None:
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise UsageError(f"{repo!r} is no repository of a model hub: {error}", remedy="owner/name") from error
    if "/" not in repo:
        raise UsageError(f"{repo!r} is no repository of a model hub", remedy="owner/name")


def _hub() -> HfApi:
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"))


def _refusal(repo: str, what: str, error: Exception) -> Exception:
    status = error.response.status_code if isinstance(error, HfHubHTTPError) and error.response is not None else None
    if status in (401, 403):
        return ConfigError(
            f"the model hub does not {what} {repo}: {status}", remedy="set HF_TOKEN to one that may do this"
        )
    cause = error.__cause__ or error
    return DependencyNotReadyError(
        f"the model hub does not {what} {repo}: {type(cause).__name__}: {cause}",
        remedy="check the network and HF_ENDPOINT, and that HF_HUB_OFFLINE is unset",
    )
