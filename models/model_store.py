"""A store of models that all machines reach: a folder, S3, or whatever else fsspec opens.

Of each version there is a folder with the files and their manifest, which is written last: a version without it is
not there. What comes from the store is held against the manifest before it is seen by anybody. No torch here.
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from uuid import uuid4

from filelock import FileLock, Timeout

from core.errors import CheckpointError, ConfigError, DependencyNotReadyError, NotFoundError
from core.logs import get_logger
from models.lineage import version_of
from models.manifest import (
    DISK_FULL,
    MANIFEST_FILE,
    VERSION_FILE,
    Manifest,
    parsed,
    problems,
    read_manifest,
    safe_name,
)
from models.registry import ModelFolders
from models.safety import WEIGHTS_FILE

if TYPE_CHECKING:  # commands that open no store need not wait for the import
    from fsspec import AbstractFileSystem  # type: ignore[import-untyped]

WAIT_SECONDS: Final = 1800.0  # for another process of this machine that fetches the same version
SPARE_BYTES: Final = 50_000_000  # a disk that is filled to its last byte stops more than this program
OBJECT_STORES: Final = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"})
"""They know no folders: asked to make one, they make a bucket, though the name may be a typing error."""

log = get_logger(__name__)


class ModelStore:
    """Blocks for as long as the network takes."""

    def __init__(self, url: str, folders: ModelFolders) -> None:
        """Opens nothing yet.

        Args:
            url: of a folder, as fsspec reads it.
            folders: of this machine; what is fetched goes there.
        """
        self._url = url.rstrip("/")
        self._folders = folders
        self.place = masked(url)

    def has(self, version: str) -> bool:
        """Raises:
        DependencyNotReadyError: the store does not answer.
        """
        files, root = self._open()
        try:
            return bool(files.exists(f"{root}/{safe_name(version, 'version')}/{MANIFEST_FILE}"))
        except Exception as error:
            raise self._away(error) from error

    def keeps(self, path: str) -> bool:
        """Whether this is a folder that goes to the store: one of the versions on this machine."""
        return Path(path).parent == self._folders.root and Path(path).is_dir()

    def push(self, version: str) -> None:
        """Bring a version of this machine there; free when the store has it.

        Raises:
            NotFoundError: no such version here.
            CheckpointError: the folder is damaged: what is pushed would be damaged everywhere.
            DependencyNotReadyError: the store does not take it; it is safe to push again.
        """
        folder = self._folders.path(safe_name(version, "version"))
        manifest = read_manifest(folder)
        if manifest is None:
            raise CheckpointError(f"{folder} has no {MANIFEST_FILE}", remedy=f"opinion models promote {folder}")
        if found := problems(folder, manifest):
            raise CheckpointError(f"{folder} is damaged and is not pushed: {'; '.join(found)}")
        if self._stored(version) == manifest:
            return
        files, root = self._open()
        try:
            if not OBJECT_STORES.intersection(_kinds(files)):
                files.makedirs(f"{root}/{version}", exist_ok=True)
            for name in manifest.files:
                files.put_file(str(folder / name), f"{root}/{version}/{name}")
            unseen = f"{root}/{version}/.{MANIFEST_FILE}.{uuid4().hex}"
            files.put_file(str(folder / MANIFEST_FILE), unseen)
            files.mv(unseen, f"{root}/{version}/{MANIFEST_FILE}")  # who sees it finds it whole, and all the others
        except Exception as error:
            raise self._away(error) from error
        log.info("model_pushed", version=version, store=self.place, bytes=manifest.bytes)

    def fetch(self, version: str, *, content_sha256: str | None = None) -> Path:
        """The folder of a version on this machine; fetched if it is not there. Of several processes one fetches, and
        the others wait for it.

        Args:
            content_sha256: what the version has to hold; see `models.manifest.Manifest`.

        Raises:
            NotFoundError: neither this machine nor the store has it.
            CheckpointError: what the store has is damaged or another model, or there is no room for it.
            DependencyNotReadyError: the store does not answer, or the process that fetches it does not end.
        """
        target = self._folders.root / safe_name(version, "version")
        if target.is_dir():
            return target
        self._folders.root.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self._folders.root / f".{version}.lock", timeout=WAIT_SECONDS):
                return target if target.is_dir() else self._fetch(version, content_sha256)
        except Timeout as error:
            raise DependencyNotReadyError(f"another process has been fetching {version} for too long") from error

    def remove(self, version: str) -> bool:
        """Free the version's files in the store; returns whether there were any. The manifest goes first, so that
        nobody begins to fetch what is half gone.

        Raises:
            DependencyNotReadyError: the store does not answer.
        """
        files, root = self._open()
        folder = f"{root}/{safe_name(version, 'version')}"
        try:
            if not files.exists(folder):
                return False
            if files.exists(f"{folder}/{MANIFEST_FILE}"):
                files.rm_file(f"{folder}/{MANIFEST_FILE}")
            files.rm(folder, recursive=True)
        except Exception as error:
            raise self._away(error) from error
        return True

    def _fetch(self, version: str, content_sha256: str | None) -> Path:
        manifest = self._stored(version)
        if manifest is None:
            raise NotFoundError(
                f"{version} is neither in {self._folders.root} nor in the store {self.place}",
                remedy=f"on the machine that has it: opinion models push {version}",
            )
        if WEIGHTS_FILE not in manifest.files or manifest.content_sha256 != (
            content_sha256 or manifest.content_sha256
        ):
            raise CheckpointError(f"{self.place} holds another model under the name {version}; it is not used")
        free = shutil.disk_usage(self._folders.root).free
        if free < manifest.bytes + SPARE_BYTES:
            raise CheckpointError(
                f"{version} takes {manifest.bytes / 1e6:.0f} MB, {self._folders.root} has {free / 1e6:.0f} MB left",
                remedy="make room: `opinion models gc` frees what no rollback needs",
            )
        files, root = self._open()
        with self._folders.unfinished() as unfinished:
            for name in (*manifest.files, MANIFEST_FILE):
                try:
                    files.get_file(f"{root}/{version}/{name}", str(unfinished / name))
                except Exception as error:
                    if isinstance(error, OSError) and error.errno in DISK_FULL:
                        raise  # our disk, not the store
                    raise self._away(error) from error
            if found := _damage(unfinished, version, manifest):
                raise CheckpointError(
                    f"{version} came damaged from {self.place}: {'; '.join(found)}",
                    remedy=f"push it again from a machine that has it intact: opinion models push {version}",
                )
            folder = self._folders.publish(unfinished, version)
        log.info("model_fetched", version=version, store=self.place, bytes=manifest.bytes)
        return folder

    def _stored(self, version: str) -> Manifest | None:
        files, root = self._open()
        path = f"{root}/{version}/{MANIFEST_FILE}"
        try:
            content = files.cat_file(path)
        except FileNotFoundError:
            return None
        except Exception as error:
            raise self._away(error) from error
        return parsed(content, f"{self.place}/{version}/{MANIFEST_FILE}")

    def _open(self) -> tuple["AbstractFileSystem", str]:
        """Raises:
        ConfigError: no such kind of store, or what it needs is not installed.
        """
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]

        try:
            files, root = url_to_fs(self._url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise ConfigError(
                f"OPINION_REGISTRY__URL: {self._without_secrets(error)}",
                remedy="for s3:// install the extra `s3`: pip install 'opinion-pipeline[s3]'",
            ) from error
        return files, root.rstrip("/")

    def _away(self, error: Exception) -> Exception:
        """Which error it is for whoever asked: libraries of stores raise what they like."""
        return DependencyNotReadyError(
            f"the store {self.place} does not do it: {type(error).__name__}: {self._without_secrets(error)}",
            remedy="check OPINION_REGISTRY__URL, the network, and the credentials in the environment",
        )

    def _without_secrets(self, error: Exception) -> str:
        parts = urlsplit(self._url)
        said = str(error)
        for secret in (self._url, parts.password, parts.username):
            said = said.replace(secret, self.place if secret == self._url else "***") if secret else said
        return said


def _kinds(files: "AbstractFileSystem") -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)


def _damage(folder: Path, version: str, manifest: Manifest) -> list[str]:
    if found := problems(folder, manifest):
        return found
    if read_manifest(folder) != manifest:
        return [f"{MANIFEST_FILE} changed meanwhile"]
    named = version_of(folder)
    return [] if named == version else [f"{VERSION_FILE} says that it is {named}"]


def masked(url: str) -> str:
    """A store's address as it may be shown: without account and query, where credentials stand."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"***@{host[2]}" if host[1] else parts.netloc, query="", fragment="").geturl()
