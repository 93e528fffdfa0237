"""The data folder of the embedded PostgreSQL: made whole or not at all, and cleared of what a killed server left."""

import contextlib
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil

from core import children
from core.errors import DependencyNotReadyError
from storage.postgres_account import Account
from storage.postgres_binaries import Binaries

ENV = {"LC_ALL": "C"}  # nothing of ours: PGPORT and its kin would change what the programs do
LEFTOVER_SECONDS = 5.0


def major_of(data: Path) -> int | None:
    """The major version that wrote the data; None when there are none.

    Raises:
        DependencyNotReadyError: the folder does not say.
    """
    version = data / "PG_VERSION"
    if not version.exists():
        return None
    text = version.read_text("ascii", "replace").strip()
    if not text.isdecimal():
        raise DependencyNotReadyError(
            f"{version} is damaged: it says {text[:20]!r} instead of PostgreSQL's major version",
            remedy=f"write that number into it, or restore {data} from a backup",
        )
    return int(text)


def make(data: Path, binaries: Binaries, account: Account, *, user: str, password: str, log: IO[bytes]) -> bool:
    """Make an empty cluster under another name and rename it, so that a killed `initdb` leaves no half.

    Returns:
        Whether `initdb` succeeded; if not, nothing is left of it, and the log says why.
    """
    partial = data.with_name("data.partial")
    _end_processes_in(partial)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    account.take(partial)
    try:
        with _secret(data.with_name("initdb-password"), password, account) as password_file:
            options = ["--auth=scram-sha-256", f"--username={user}", f"--pwfile={password_file}", f"-D{partial}"]
            initdb = children.spawn(
                [*binaries.initdb, *options], stdout=log, env=ENV, cwd=Path("/"), user=account.ids
            )
            if initdb.wait():
                return False
        partial.rename(data)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return True


def reset_password(
    data: Path, binaries: Binaries, account: Account, *, user: str, password: str, log: IO[bytes]
) -> bool:
    """Give the user another password, with nobody else let in meanwhile. Returns whether that succeeded."""
    statement = f"ALTER ROLE {user} PASSWORD '{password}'\n"
    with (
        _secret(data.with_name("reset-password"), statement, account) as statement_file,
        statement_file.open("rb") as stdin,
    ):
        process = children.spawn(
            [binaries.postgres, "--single", f"-D{data}", "-cexit_on_error=on", "postgres"],
            stdin=stdin,
            stdout=log,
            env=ENV,
            cwd=Path("/"),
            user=account.ids,
            when_parent_dies=signal.SIGINT,
        )
        return process.wait() == 0


def clear_leftovers(data: Path) -> None:
    """Remove what a killed server left: backends that have not noticed, and its lock file.

    PostgreSQL itself only asks whether the process id in that file is alive, and stumbles over an empty one. While
    the id is that of a server on these data, which somebody else has then started, the decision stays with it.
    """
    pid_file = data / "postmaster.pid"
    if _is_served(data, pid_file):
        return
    _end_processes_in(data)
    pid_file.unlink(missing_ok=True)


def _is_served(data: Path, pid_file: Path) -> bool:
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        return "postgres" in process.name() and process.cwd() == str(data)
    except psutil.AccessDenied:
        return True
    except (psutil.NoSuchProcess, OSError, ValueError, IndexError):
        return False


def _end_processes_in(data: Path) -> None:
    """A backend notices the death of its server only between two statements; until then it blocks the next one."""
    children.end(children.working_in("postgres", data), grace_seconds=LEFTOVER_SECONDS, first=signal.SIGQUIT)


@contextlib.contextmanager
def _secret(path: Path, text: str, account: Account) -> Iterator[Path]:
    """A file that only the account can read, for as long as the block lasts."""
    path.unlink(missing_ok=True)
    try:
        path.touch(mode=0o600)
        path.write_text(text)
        account.take(path)
        yield path
    finally:
        path.unlink(missing_ok=True)
