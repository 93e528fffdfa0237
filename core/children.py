"""Child processes that cannot outlive us unnoticed: bound to the parent, found again after a crash.

Every child leads its own session, so that Ctrl-C reaches only the process that knows the order of stopping.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from random import SystemRandom
from typing import IO, TypeVar

import msgspec
import psutil
from filelock import FileLock, Timeout

from core.errors import DependencyNotReadyError

LEASH = Path(__file__).with_name("leash.py")
LOG_KEEP_BYTES = 10_000_000  # a larger log moves to `<name>.1` at the next start
TAKEN_SECONDS = 5.0  # connections of a server that was killed may linger
CLAIM_SECONDS = 10.0  # a process that was told to end may need a moment
# Below every system's ephemeral range (32768 on Linux, 49152 elsewhere): a client that keeps knocking while
# its server is down would otherwise, one day, be given the server's own port and connect to itself.
PORTS = range(20_000, 32_000)

State = TypeVar("State")


class Identity(msgspec.Struct, frozen=True):
    """A process, safe against reuse of its id."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> "Identity":
        """Raises psutil.NoSuchProcess when there is none."""
        return cls(pid, psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """The process, if it still runs (a zombie does not)."""
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.created) < 1
            return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


def spawn(
    argv: Sequence[str | Path],
    *,
    stdout: IO[bytes] | int,
    env: Mapping[str, str] | None = None,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    cwd: Path | None = None,
    user: tuple[int, int] | None = None,
    when_parent_dies: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a program whose stdout and stderr go to `stdout`.

    On Linux it gets `when_parent_dies` when the calling *thread* ends, so call this from a thread that lasts.

    Args:
        argv: the program, as an absolute path or found on PATH, and its arguments.
        user: uid and gid to run as; only root may give them.

    Raises:
        FileNotFoundError: there is no such program.
    """
    program = shutil.which(str(argv[0]))
    if program is None:
        raise FileNotFoundError(f"no program {argv[0]}")
    uid, gid = user or (-1, -1)
    leash = [sys.executable, "-I", "-S", LEASH, os.getpid(), int(when_parent_dies), uid, gid]
    return subprocess.Popen(
        [str(part) for part in (*leash, program, *argv[1:])],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        env=None if env is None else dict(env),
        cwd=cwd,
        start_new_session=True,
    )


def stop(process: subprocess.Popen[bytes], *, grace_seconds: float, first: signal.Signals = signal.SIGTERM) -> bool:
    """Ask the child to end, then kill it and its process group. Returns whether it ended when asked."""
    if process.poll() is not None:
        return True
    process.send_signal(first)
    process.send_signal(signal.SIGCONT)  # one that is frozen would not hear the first
    try:
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False
    return True


def work_off(
    process: subprocess.Popen[bytes],
    should_stop: Callable[[], bool],
    *,
    look_seconds: float = 0.5,
    grace_seconds: float = 5.0,
) -> int | None:
    """Wait for a child that does one piece of work: its exit code, or None where `should_stop` ended it first."""
    try:
        while True:
            try:
                return process.wait(look_seconds)
            except subprocess.TimeoutExpired:
                if should_stop():
                    return None
    finally:
        stop(process, grace_seconds=grace_seconds)


def ending(code: int) -> str:
    """How a child with this exit code ended, to follow its name in a sentence."""
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def end(processes: Sequence[psutil.Process], *, grace_seconds: float, first: signal.Signals = signal.SIGTERM) -> None:
    """Ask processes that are not our children to end, then kill those that do not."""
    for signal_to_send in (first, signal.SIGKILL):
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal_to_send)
                process.send_signal(signal.SIGCONT)  # one that is frozen would not hear the first
        _, processes = psutil.wait_procs(processes, timeout=grace_seconds)


def find(program: str, argument: str) -> list[psutil.Process]:
    """Running processes of this name that were started with exactly this argument."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        cmdline = process.info["cmdline"] or []
        if cmdline and Path(cmdline[0]).name == program and argument in cmdline:
            found.append(process)
    return found


def working_in(program: str, folder: Path) -> list[psutil.Process]:
    """Running processes of this name whose current directory is the folder; only those we may look into."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name() == program and process.cwd() == str(folder):
                found.append(process)
    return found


def claim(folder: Path, what: str) -> FileLock:
    """Hold the folder until the lock is released or this process ends, so that two servers never share data.

    Raises:
        DependencyNotReadyError: another process has held it for ten seconds.
    """
    lock = FileLock(folder / ".lock", timeout=CLAIM_SECONDS, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise DependencyNotReadyError(
            f"another process runs {what} in {folder}",
            remedy="end that `opinion` command first, or set OPINION_HOME to another folder",
        ) from error
    return lock


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(wanted: int | None = None, *, but: Container[int] = ()) -> int:
    """A port of 127.0.0.1 that nobody listens on: `wanted` if it is free, else any of `PORTS` (none of `but`)."""
    if wanted is not None and is_free(wanted):
        return wanted
    while (port := SystemRandom().choice(PORTS)) in but or not is_free(port):
        pass
    return port


def keep_port(what: str, kept: int | None, *, is_known: bool, say: Callable[[str], None]) -> int:
    """The port a server had, or another, which is said, if a stranger has taken it while the server was away.

    Args:
        is_known: whether others were told the port in this process's life, so that it must not change any more.

    Raises:
        DependencyNotReadyError: the port is known and taken.
    """
    if is_known and kept and not wait_until(lambda: is_free(kept), seconds=TAKEN_SECONDS):
        raise DependencyNotReadyError(
            f"another program has taken port {kept} of {what} while it was away",
            remedy="end that program, or end this command and start it again: then another port is chosen",
        )
    port = free_port(kept)
    if kept and port != kept:
        say(f"Port {kept} is taken; {what} now listens on {port}.")
    return port


def size(path: Path) -> int:
    """Bytes of the file; 0 when there is none."""
    return path.stat().st_size if path.exists() else 0


def open_log(path: Path) -> IO[bytes]:
    """Append to a log; one that has grown large is moved aside first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_KEEP_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    return path.open("ab")


def tail(path: Path, lines: int = 12) -> str:
    """The last lines of a log, for an error message."""
    if not path.exists():
        return f"({path} was not written)"
    text = path.read_bytes()[-16_384:].decode("utf-8", "replace")
    return "\n".join(text.splitlines()[-lines:]) or f"({path} is empty)"


def write_state(path: Path, state: msgspec.Struct, *, mode: int = 0o600) -> None:
    """Write a small JSON file that is either the old or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:  # noqa: PTH123
            file.write(msgspec.json.format(msgspec.json.encode(state), indent=2))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        error.filename = error.filename or str(path)  # a full disk shows at the write, which knows no name
        raise


def read_state(path: Path, shape: type[State]) -> State | None:
    """What `write_state` wrote; None when there is nothing of that shape."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=shape)
    except (OSError, msgspec.DecodeError):
        return None


def wait_until(is_true: Callable[[], bool], *, seconds: float, every: float = 0.1) -> bool:
    """Ask again and again, at most `seconds` long, until the answer is yes."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def wait_while_moving(
    is_true: Callable[[], bool],
    progress: Callable[[], object],
    *,
    seconds: float,
    at_most: float,
    every: float = 0.2,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Like `wait_until`, but the seconds count from the last time that `progress` changed, up to `at_most` in all.

    A server that recovers gigabytes after a crash is slow, not broken; stopping it would begin the recovery anew.
    """
    started = moved = monotonic()
    seen = progress()
    while not is_true():
        sleep(every)
        now = monotonic()
        if (latest := progress()) != seen:
            seen, moved = latest, now
        if now - moved > seconds or now - started > at_most:
            return False
    return True
