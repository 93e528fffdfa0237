"""The embedded database: a real PostgreSQL as a child process, its data kept under `home`.

Layout under `home`: `postgres/data`, `postgres/instance.json` (port and password, mode 0600), `run/postgres.json`
(the running one), `logs/postgres.log`. PostgreSQL refuses to run as root, so root hands it to another account; if
that account cannot reach `home` (say, under /root), data and programs go to `/var/lib/opinion`.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import psutil
import psycopg
from filelock import FileLock

from core import children
from core.errors import DependencyNotReadyError
from storage import postgres_binaries
from storage.engine import database_url
from storage.postgres_account import Account, account_for, stand_in
from storage.postgres_binaries import Binaries

USER = DATABASE = "opinion"
READY_SECONDS = 120.0  # 0.3 s, but recovery after a crash may read a lot of WAL
STALE_LOCK_SECONDS = 10.0  # so long the backends of a killed server may hold its shared memory
STOP_SECONDS = 30.0
REACHABLE = Path("/var/lib/opinion")

_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_ENV = {"LC_ALL": "C"}  # nothing of ours: PGPORT and its kin would change what the programs do
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class _Instance(msgspec.Struct, frozen=True):
    port: int
    password: str


class _Running(msgspec.Struct, frozen=True):
    url: str
    server: children.Identity
    owner: children.Identity


def is_answering(url: str, timeout_seconds: int = 3) -> bool:
    """Whether the database lets us in. Blocks for at most about the timeout."""
    return refusal(url, timeout_seconds) is None


def refusal(url: str, timeout_seconds: int = 3) -> str | None:
    """Why the database does not let us in, in one line without the password; None when it does."""
    try:
        plain = database_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        psycopg.connect(plain, connect_timeout=timeout_seconds).close()
    except psycopg.Error as error:
        return str(error).strip().splitlines()[0]
    return None


def running(home: Path) -> str | None:
    """The URL of the embedded PostgreSQL that another living process runs under `home`."""
    state = children.read_state(home / "run" / "postgres.json", _Running)
    if state is None or state.server.process() is None or state.owner.process() is None:
        return None
    return state.url


class EmbeddedPostgres:
    """One server on 127.0.0.1 with the database `opinion`; its data, password and (if free) port survive `stop`.

    `start` and `stop` block. On Linux the server is stopped when the thread that started it ends; whatever a
    crash leaves behind is stopped by the next `start`.
    """

    name = "postgres"

    def __init__(
        self,
        home: Path,
        *,
        is_durable: bool = True,
        reachable: Path = REACHABLE,
        say: Callable[[str], None] = lambda line: print(line, file=sys.stderr),  # noqa: T201
    ) -> None:
        """Args:
        is_durable: False trades the data's survival of a crash for speed; for tests only.
        reachable: where root puts what the unprivileged account cannot reach under `home`.
        say: gets what a person should know, such as a port that had to change.
        """
        self._home = home.resolve()
        self._is_durable = is_durable
        self._reachable = reachable
        self._say = say
        self._state = self._home / "run" / "postgres.json"
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: FileLock | None = None
        self.log_path = self._home / "logs" / "postgres.log"
        self.url: str | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> str:
        """Start the server, or do nothing if it runs; returns its URL once it answers.

        Raises:
            DependencyNotReadyError: no usable programs, data of another version, no permission, in use by another
                process, or not ready in time.
        """
        if self.is_running and self.url:
            return self.url
        try:
            url = self._start()
        except OSError as error:
            self.stop()
            raise DependencyNotReadyError(
                f"the embedded PostgreSQL cannot use {error.filename or self._home}: {error.strerror}",
                remedy="run as the user who owns that folder, or set OPINION_HOME to a folder of your own",
            ) from error
        except BaseException:
            self.stop()
            raise
        self.url = url
        return url

    def stop(self) -> None:
        """Stop the server: clients are disconnected, data are flushed; killed (and recovered later) after 30 s."""
        if self._process:
            self._state.unlink(missing_ok=True)
            children.stop(self._process, grace_seconds=STOP_SECONDS, first=signal.SIGINT)
            self._process = None
        if self._lock:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> str:
        folder, account = self._place()
        self._lock = self._lock or children.claim(folder, "the embedded PostgreSQL")
        data = folder / "data"
        binaries = postgres_binaries.choose(major_of(data), account.can_enter, self._reachable)
        leftovers = children.find("postgres", f"-D{data}")
        children.end(leftovers, grace_seconds=STOP_SECONDS, first=signal.SIGINT)
        instance = self._instance(folder)
        if not data.exists():
            self._initialise(data, binaries, account, instance.password)
        _drop_stale_pid_file(data)
        url = f"postgresql://{USER}:{instance.password}@127.0.0.1:{instance.port}"
        self._process = self._launch(binaries, data, account, instance.port, f"{url}/postgres")
        _create_database(f"{url}/postgres")
        running_now = _Running(f"{url}/{DATABASE}", *map(children.Identity.of, (self._process.pid, os.getpid())))
        children.write_state(self._state, running_now)
        return running_now.url

    def _place(self) -> tuple[Path, Account]:
        """The folder of data that the account which will run the server can reach."""
        folder = self._home / "postgres"
        folder.mkdir(parents=True, exist_ok=True)
        account = account_for(folder / "data")
        if account.can_enter(folder):
            return folder, account
        if (folder / "data").exists():
            raise DependencyNotReadyError(
                f"PostgreSQL runs as {account.name}, who can no longer enter {folder}",
                remedy=f"let {account.name} pass the folders above it (chmod o+x), or set another OPINION_HOME",
            )
        pointer, folder = folder / "stand-in", stand_in(self._home, self._reachable)
        if not pointer.exists():  # a new home, or one that was emptied, and then these data were meant to go with it
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for step in (self._reachable, folder):
                step.chmod(0o755)
            pointer.write_text(f"{folder}\n")
            self._say(
                f"PostgreSQL runs as {account.name}, who cannot enter {self._home}; "
                f"its data are kept in {folder} (or set OPINION_HOME to a folder that {account.name} can reach)."
            )
        return folder, account_for(folder / "data")

    def _instance(self, folder: Path) -> _Instance:
        """The port and password of before, or new ones; the port changes when somebody else has taken it."""
        path = folder / "instance.json"
        kept = children.read_state(path, _Instance)
        if kept is None and (folder / "data").exists():
            raise DependencyNotReadyError(
                f"{path} is missing or damaged, and with it the password of the data beside it",
                remedy=f"restore that file, or move {folder} away to begin with an empty database",
            )
        port = children.free_port(kept.port if kept else None)
        if kept and port != kept.port:
            self._say(f"Port {kept.port} is taken; the embedded PostgreSQL now listens on {port}.")
        instance = _Instance(port, kept.password if kept else secrets.token_urlsafe(24))
        children.write_state(path, instance)
        return instance

    def _initialise(self, data: Path, binaries: Binaries, account: Account, password: str) -> None:
        """Make an empty cluster under another name and rename it, so that a killed `initdb` leaves no half."""
        partial, password_file = data.with_name("data.partial"), data.with_name("initdb-password")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        account.take(partial)
        password_file.unlink(missing_ok=True)
        password_file.touch(mode=0o600)
        password_file.write_text(password)
        account.take(password_file)
        options = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={password_file}", f"-D{partial}"]
        with children.open_log(self.log_path) as log:
            initdb = children.spawn(
                [*binaries.initdb, *options], stdout=log, env=_ENV, cwd=Path("/"), user=account.ids
            )
            failed = initdb.wait()
        password_file.unlink()
        if failed:
            raise self._not_ready("initdb failed")
        partial.rename(data)

    def _launch(
        self, binaries: Binaries, data: Path, account: Account, port: int, url: str
    ) -> subprocess.Popen[bytes]:
        """Start the server and wait until it answers; again, as long as a killed one's backends hold its memory."""
        options = {**_OPTIONS, "port": str(port), **({} if self._is_durable else _NOT_DURABLE)}
        argv: list[str | Path] = [binaries.postgres, f"-D{data}"]
        argv += (f"--{name}={value}" for name, value in options.items())
        deadline = time.monotonic() + STALE_LOCK_SECONDS
        while True:
            with children.open_log(self.log_path) as log:
                process = children.spawn(
                    argv, stdout=log, env=_ENV, cwd=Path("/"), user=account.ids, when_parent_dies=signal.SIGINT
                )
            if _is_ready(process, url):
                return process
            has_ended = process.poll() is not None
            children.stop(process, grace_seconds=STOP_SECONDS, first=signal.SIGINT)
            if not has_ended:
                raise self._not_ready("it did not answer in time")
            if time.monotonic() > deadline:
                raise self._not_ready("it ended while starting")
            time.sleep(0.5)

    def _not_ready(self, what: str) -> DependencyNotReadyError:
        log = children.tail(self.log_path)
        return DependencyNotReadyError(
            f"the embedded PostgreSQL cannot start: {what}; the end of {self.log_path}:\n{log}",
            remedy="read that log; `opinion doctor` checks disk, memory and programs",
        )


def _is_ready(process: subprocess.Popen[bytes], url: str) -> bool:
    """Wait until the server lets us in; False when it ended before, or the time is up."""
    children.wait_until(lambda: process.poll() is not None or is_answering(url), seconds=READY_SECONDS)
    return process.poll() is None and is_answering(url)


def major_of(data: Path) -> int | None:
    """The major version that wrote the data; None when there are none."""
    version = data / "PG_VERSION"
    return int(version.read_text()) if version.exists() else None


def _drop_stale_pid_file(data: Path) -> None:
    """Remove a killed server's lock file if its process id now belongs to a program that is no PostgreSQL.

    PostgreSQL itself only asks whether that id is alive. While it may be a PostgreSQL, the decision stays with it.
    """
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    try:
        is_foreign = "postgres" not in psutil.Process(int(pid_file.read_text().split()[0])).name()
    except (psutil.NoSuchProcess, ValueError, IndexError):
        return
    if is_foreign:
        pid_file.unlink()


def _create_database(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(f"CREATE DATABASE {DATABASE}")
