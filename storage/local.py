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
import psycopg
from filelock import FileLock
from psycopg.pq import PGconn, Ping

from core import children, disk
from core.errors import DependencyNotReadyError
from storage import postgres_binaries, postgres_data
from storage.engine import database_url
from storage.postgres_account import Account, account_for, stand_in
from storage.postgres_binaries import Binaries
from storage.postgres_data import ENV

USER = DATABASE = "opinion"
READY_SECONDS = 120.0  # without a sign of progress; usually 0.3 s
RECOVERY_SECONDS = 1800.0  # so long a start may take while the log tells of progress: a lot of WAL to read
FULL_SECONDS, FULL_BYTES = 10.0, 1_000_000  # no answer for so long with so little room: give up for now
STALE_LOCK_SECONDS = 10.0  # so long the kernel may keep the shared memory of a killed server
STOP_SECONDS = 30.0
REACHABLE = Path("/var/lib/opinion")

_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "work_mem": "16MB",  # a month of counts is grouped in memory
    "jit": "off",  # compiling a query over the views takes a second, running it a few milliseconds
}
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
        self._folder = self._home / "postgres"  # or its stand-in, which `start` finds
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

    def is_answering(self) -> bool:
        """Whether the server that was started says anything within three seconds, be it that it lets nobody in."""
        if self.url is None:
            return False
        return PGconn.ping(f"{self.url}?connect_timeout=3".encode()) != Ping.NO_RESPONSE

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
            raise disk.unusable("the embedded PostgreSQL", self._home, error) from error
        except psycopg.Error as error:
            self.stop()
            raise self._not_ready(str(error).strip().splitlines()[0]) from error
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
        self._folder, account = self._place()
        folder = self._folder
        self._lock = self._lock or children.claim(folder, "the embedded PostgreSQL")
        data = folder / "data"
        leftovers = children.find("postgres", f"-D{data}") + children.find("initdb", f"-D{data}.partial")
        children.end(leftovers, grace_seconds=STOP_SECONDS, first=signal.SIGINT)
        postgres_data.clear_leftovers(data)
        binaries = postgres_binaries.choose(postgres_data.major_of(data), account.can_enter, self._reachable)
        instance = self._instance(folder, binaries, account)
        if not data.exists():
            with children.open_log(self.log_path) as log:
                is_made = postgres_data.make(data, binaries, account, user=USER, password=instance.password, log=log)
            if not is_made:
                raise self._not_ready("initdb failed")
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

    def _instance(self, folder: Path, binaries: Binaries, account: Account) -> _Instance:
        """The port and password of before, or new ones."""
        path, data = folder / "instance.json", folder / "data"
        kept = children.read_state(path, _Instance)
        password = kept.password if kept else secrets.token_urlsafe(24)
        if kept is None and data.exists():
            self._say(f"{path} is missing or damaged; the embedded PostgreSQL gets a new password and perhaps port.")
            with children.open_log(self.log_path) as log:
                if not postgres_data.reset_password(data, binaries, account, user=USER, password=password, log=log):
                    raise self._not_ready("its password could not be set anew")
        port = children.keep_port(
            "the embedded PostgreSQL", kept.port if kept else None, is_known=bool(self.url), say=self._say
        )
        instance = _Instance(port, password)
        children.write_state(path, instance)
        return instance

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
                    argv, stdout=log, env=ENV, cwd=Path("/"), user=account.ids, when_parent_dies=signal.SIGINT
                )
            if self._is_ready(process, url):
                return process
            has_ended = process.poll() is not None
            children.stop(process, grace_seconds=STOP_SECONDS, first=signal.SIGINT)
            if not has_ended:
                raise self._not_ready("it did not answer in time")
            if time.monotonic() > deadline:
                raise self._not_ready("it ended while starting")
            time.sleep(0.5)

    def _is_ready(self, process: subprocess.Popen[bytes], url: str) -> bool:
        """Wait until the server lets us in; False when it ended before, or the time is up.

        While it recovers from a crash, which may take many minutes, it logs that it turned us away. On a full disk
        it would recover and crash for ever.
        """
        patience = time.monotonic() + FULL_SECONDS

        def is_decided() -> bool:
            if process.poll() is not None or is_answering(url):
                return True
            return time.monotonic() > patience and disk.free_bytes(self._folder) < FULL_BYTES

        children.wait_while_moving(
            is_decided,
            lambda: children.size(self.log_path),
            seconds=READY_SECONDS,
            at_most=RECOVERY_SECONDS,
        )
        return process.poll() is None and is_answering(url)

    def _not_ready(self, what: str) -> DependencyNotReadyError:
        log = children.tail(self.log_path)
        what = f"the embedded PostgreSQL cannot start: {what}; the end of {self.log_path}:\n{log}"
        if disk.is_full(self._folder, log):
            return disk.full(what, self._folder)
        return DependencyNotReadyError(
            what, remedy="read that log; `opinion doctor` checks disk, memory and programs"
        )


def _create_database(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(f"CREATE DATABASE {DATABASE}")
