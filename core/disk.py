"""A disk that is full: recognised, and told to a person together with the folder and the remedy."""

import errno
import shutil
from pathlib import Path

from core.errors import DependencyNotReadyError

FULL = (errno.ENOSPC, errno.EDQUOT)
SAYS_FULL = ("No space left on device", "Disk quota exceeded")
# Kafka and PostgreSQL make files of 10 and 16 MB; one that failed with less than a few of these left failed for it.
ROOM_BYTES = 64_000_000


def is_full(folder: Path, says: str = "") -> bool:
    """Whether something that failed under this folder failed for want of room, as far as can be known.

    Args:
        says: what it said: an error's text, the end of its log.
    """
    return any(words in says for words in SAYS_FULL) or free_bytes(folder) < ROOM_BYTES


def free_bytes(folder: Path) -> int:
    """What is left where the folder is or will be."""
    return shutil.disk_usage(next(step for step in (folder, *folder.parents) if step.is_dir())).free


def full(what: str, folder: Path, says: str = "") -> DependencyNotReadyError:
    """The error for `what` that found no room in the folder."""
    return DependencyNotReadyError(
        f"the disk of {folder} is full ({free_bytes(folder) / 1e6:.0f} MB free): {what}{says and f': {says}'}",
        remedy="free some space there, or set OPINION_HOME to a folder on a larger disk; what is stored stays intact",
    )


def unusable(what: str, folder: Path, error: OSError) -> DependencyNotReadyError:
    """The error for `what` that could not read or write under the folder: no room, or no permission."""
    if error.errno in FULL or any(words in str(error) for words in SAYS_FULL):  # `shutil.Error` only has a text
        return full(f"{what} cannot write", folder, str(error.filename or ""))
    return DependencyNotReadyError(
        f"{what} cannot use {error.filename or folder}: {error.strerror or error}",
        remedy="run as the user who owns that folder, or set OPINION_HOME to a folder of your own",
    )
