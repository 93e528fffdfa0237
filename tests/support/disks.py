"""A real file system of a few megabytes, for servers that run out of space."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

MOUNT, UNMOUNT = shutil.which("mount"), shutil.which("umount")


@pytest.fixture
def tiny_disk() -> Iterator[Callable[[int], Path]]:
    """Mounts a file system of that many bytes, open to every account, and unmounts it at the end of the test."""
    if sys.platform != "linux" or os.geteuid() != 0 or not MOUNT or not UNMOUNT:
        pytest.skip("only root on Linux may mount a small file system")
    with ExitStack() as mounts:

        def make(size: int) -> Path:
            folder = Path(tempfile.mkdtemp(prefix="opinion-disk-"))  # pytest's own are closed to PostgreSQL's account
            mounts.callback(folder.rmdir)
            command = [MOUNT, "-t", "tmpfs", "-o", f"size={size},mode=755", "opinion-test", str(folder)]
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
            mounts.callback(subprocess.run, [UNMOUNT, "--lazy", str(folder)], check=True)
            return folder

        yield make


def fill(folder: Path, *, but: int = 0) -> Path:
    """Take all the room but that of so many bytes; returns the file to remove for giving it back.

    Called again, it takes what has become free since.
    """
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file:
        left = shutil.disk_usage(folder).free - but
        while left > 0:
            left -= file.write(bytes(min(left, 1 << 20)))
    return ballast
