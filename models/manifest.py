"""`manifest.json`: every file of a model's folder with its size and sha256, so that what is loaded is what was added.

No torch here: commands that only look at folders start in a moment.
"""

import errno
import hashlib
import os
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import msgspec

from core.errors import CheckpointError, UsageError
from models.safety import PICKLED, WEIGHTS_FILE

DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
MANIFEST_FILE: Final = "manifest.json"
VERSION_FILE: Final = "version.json"
TOLD: Final = (VERSION_FILE, "training.json", "gate.json")
TOLD_KINDS: Final = (".md", ".png", ".svg", ".html", ".pdf", ".jsonl", ".jsonl.gz")
"""What tells about the model, and texts for the next training. It may come after the folder was named: no opinion
depends on it."""
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")  # of versions and files: never a path, never hidden


class FileEntry(msgspec.Struct, frozen=True):
    """What a file has to be."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """`manifest.json`: every file of the folder but itself."""

    files: dict[str, FileEntry]

    @property
    def content_sha256(self) -> str:
        """Of everything that is loaded: two folders with the same one give the same opinions."""
        lines = [f"{entry.sha256}  {name}\n" for name, entry in sorted(self.loaded.files.items())]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def loaded(self) -> "Manifest":
        """Without what only tells about the model, which may still be written when the model is added."""
        return Manifest({name: entry for name, entry in self.files.items() if not is_told(name)})

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in self.files.values())


def is_told(name: str) -> bool:
    """Whether the file tells about the model instead of being a part of it."""
    return name in TOLD or name.endswith(TOLD_KINDS)


def safe_name(name: str, what: str) -> str:
    """The same name, if it can be one of ours.

    Raises:
        UsageError: it is a path, is hidden, or holds what no name of ours holds.
    """
    if NAME.fullmatch(name) is None:
        raise UsageError(
            f"{name!r} is no name of a {what}", remedy="letters, digits, dots, dashes and underscores, at most 128"
        )
    return name


def measured(folder: Path) -> Manifest:
    """What lies in the folder now; folders in it and hidden files are no part of a model."""
    paths = [path for path in folder.iterdir() if path.is_file() and is_part(path.name)]
    return Manifest({path.name: _entry(path) for path in sorted(paths)})


def is_part(name: str) -> bool:
    """Whether a file of this name belongs to a model's folder; pickles never do."""
    is_ours = name != MANIFEST_FILE and NAME.fullmatch(name) is not None
    return is_ours and not any(fnmatchcase(name, kind) for kind in PICKLED)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """In one piece: a reader sees the manifest of before or this one."""
    unfinished = folder / f".{MANIFEST_FILE}.{os.getpid()}"
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    unfinished.replace(folder / MANIFEST_FILE)


def read_manifest(folder: Path) -> Manifest | None:
    """None for a folder that was never added to a registry.

    Raises:
        CheckpointError: it cannot be read, or names what cannot be a file of ours.
    """
    path = folder / MANIFEST_FILE
    return parsed(path.read_bytes(), str(path)) if path.is_file() else None


def parsed(content: bytes, place: str) -> Manifest:
    """Raises:
    CheckpointError: this is no manifest, or it names what cannot be a file of ours.
    """
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as error:
        raise CheckpointError(f"{place} cannot be read: {error}") from error
    if bad := [name for name in manifest.files if not is_part(name)]:
        raise CheckpointError(f"{place} names {bad[0]!r}, which is no file of a model")
    return manifest


def problems(folder: Path, manifest: Manifest | None = None) -> list[str]:
    """What differs from the manifest, one line for each file; empty for an intact folder. Reads every byte.

    Args:
        manifest: the folder's own if absent. A folder without one is held against the sha256 of the weights in its
            `version.json`; with neither, nothing can be said, and nothing is.
    """
    manifest = manifest or read_manifest(folder)
    if manifest is None:
        expected = _weights_named(folder)
        found = _sha256(folder / WEIGHTS_FILE) if expected and (folder / WEIGHTS_FILE).is_file() else expected
        return [f"{WEIGHTS_FILE} has other content than {VERSION_FILE} says"] if found != expected else []
    return [line for name, entry in manifest.files.items() if (line := _difference(folder / name, entry))]


def refuse_damaged(folder: Path) -> None:
    """Before anything of a folder is loaded. It reads every byte of the folder, which takes a small part of the time
    that loading takes: remembering what was checked, by size and time of change, would save that and believe a file
    that decayed on its disk, or one whose times were set back.

    Raises:
        CheckpointError: a file is missing or is not the one that was added.
    """
    manifest = read_manifest(folder)
    if found := problems(folder, manifest and manifest.loaded):
        raise CheckpointError(
            f"{folder} is damaged or was changed, and is not loaded: {'; '.join(found)}",
            remedy="bring it again with `opinion models pull`, or roll back with `opinion models rollback`",
        )


def _difference(path: Path, entry: FileEntry) -> str | None:
    if not path.is_file():
        return f"{path.name} is missing"
    if (size := path.stat().st_size) != entry.bytes:
        return f"{path.name} has {size} bytes instead of {entry.bytes}"
    return f"{path.name} has other content than when it was added" if _sha256(path) != entry.sha256 else None


def _weights_named(folder: Path) -> str | None:
    try:
        found = msgspec.json.decode((folder / VERSION_FILE).read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None
    return found.get("weights_sha256") if isinstance(found, dict) else None


def _entry(path: Path) -> FileEntry:
    return FileEntry(path.stat().st_size, _sha256(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
