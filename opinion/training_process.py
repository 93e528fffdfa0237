"""The training of a run as a process of its own: its folder, its bounds, and what a kill leaves to go on from."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import psutil

from core import children
from core.errors import OpinionError
from core.logs import get_logger
from opinion.training_child import (
    JOB_FILE,
    OUTCOME_FILE,
    PAUSE_FILE,
    PROGRESS_FILE,
    ROWS_FILE,
    Progress,
    TrainingJob,
    TrainingOutcome,
    TrainingRows,
    read_job,
)

LOOK_SECONDS: Final = 0.5  # how often progress is read and `should_stop` asked
STOP_SECONDS: Final = 5.0
PAUSE_EVERY_SECONDS: Final = 10.0  # how often `should_pause` is asked: it asks a broker
MOST_PAUSED_SECONDS: Final = 3600.0  # a backlog that lasts longer is not the training's doing
RETRAIN_FOLDER: Final = "retrain"
LEAST_FREE_SHARE: Final = (
    0.03  # of the machine's memory: with less, the kernel would soon end some process, perhaps a worker
)
MIB: Final = 2**20

OnProgress = Callable[[Progress], None]
Ask = Callable[[], bool]
log = get_logger(__name__)


class TrainingFailedError(OpinionError):
    """The training ended without a candidate."""


@dataclass(frozen=True)
class Watch:
    """What the parent asks and tells while the training lasts.

    Attributes:
        should_pause: whether the machine is needed for something more urgent; asked every `PAUSE_EVERY_SECONDS`.
        most_memory_bytes: the training is ended when its processes hold more; None sets no bound.
    """

    should_stop: Ask = lambda: False
    should_pause: Ask = lambda: False
    on_progress: OnProgress | None = None
    most_memory_bytes: int | None = None


@dataclass
class Work:
    """The folder of one piece of work: the same for the same snapshot and champion, so that a run that was broken
    off is taken up by the next one.

    Attributes:
        peak_bytes: most memory that its processes held at once, as far as was looked.
    """

    folder: Path
    log_file: Path
    peak_bytes: int = field(default=0)

    @classmethod
    def of(cls, home: Path, snapshot_hash: str, champion: str) -> "Work":
        name = hashlib.sha256(f"{snapshot_hash} {champion}".encode()).hexdigest()[:16]
        home = home.resolve()
        return cls(home / RETRAIN_FOLDER / name, home / "logs" / "retrain.log")

    def begun(self) -> tuple[TrainingJob, TrainingRows] | None:
        """The job and rows of a run that was broken off; None where there is nothing to go on from."""
        try:
            return read_job(self.folder)
        except (OSError, msgspec.MsgspecError):
            return None

    def begin(self, job: TrainingJob, rows: TrainingRows) -> None:
        """Lay out new work. Work of other snapshots is removed: nobody will ask for it again."""
        shutil.rmtree(self.folder.parent, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / ROWS_FILE).write_bytes(msgspec.json.encode(rows))
        self.change(job)  # last: a folder with a job is a whole one

    def change(self, job: TrainingJob) -> None:
        """Go on by another job, e.g. with more threads."""
        draft = self.folder / f".{JOB_FILE}"
        draft.write_bytes(msgspec.json.encode(job))
        draft.replace(self.folder / JOB_FILE)

    def remove(self) -> None:
        """The work is done, or not worth going on with."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def outcome(self) -> TrainingOutcome | None:
        """What came out; None while nothing did, and when the candidate's folder is gone."""
        found = children.read_state(self.folder / OUTCOME_FILE, TrainingOutcome)
        return found if found is not None and Path(found.path).is_dir() else None

    def run(self, threads: int, watch: Watch) -> TrainingOutcome:
        """Train in a child process, so that torch's memory and a crash are not ours. Blocks for minutes.

        Raises:
            TrainingFailedError: it was stopped, was killed, failed, or took too much memory. What fails by itself
                would fail again from where it is, so that work is removed; else the next run goes on with it.
        """
        if present := self.outcome():
            return present
        code = self._run_child(threads, watch)
        outcome = self.outcome()
        if code == 0 and outcome is not None:
            return outcome
        if code >= 0:
            self.remove()
        raise TrainingFailedError(
            f"the training {children.ending(code)}",
            remedy=f"{self.log_file} says why:\n{children.tail(self.log_file, 6)}",
        )

    def _run_child(self, threads: int, watch: Watch) -> int:
        """The child's exit code. It is stopped when we are told to stop or are interrupted, and dies with us."""
        (self.folder / PROGRESS_FILE).unlink(missing_ok=True)
        pause = Pause(self.folder / PAUSE_FILE, watch.should_pause)
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
        argv = [sys.executable, "-m", "opinion.training_child", str(self.folder)]
        with children.open_log(self.log_file) as child_log:
            child = children.spawn(argv, stdout=child_log, env=environment)
        try:
            code: int | None = None
            while code is None:
                with suppress(subprocess.TimeoutExpired):
                    code = child.wait(LOOK_SECONDS)
                progress = children.read_state(self.folder / PROGRESS_FILE, Progress)
                if progress and watch.on_progress:
                    watch.on_progress(progress)
                if code is None:
                    self._check(child.pid, watch)
                    pause.look(time.monotonic())
            return code
        finally:
            pause.end()
            children.stop(child, grace_seconds=STOP_SECONDS)

    def _check(self, pid: int, watch: Watch) -> None:
        if watch.should_stop():
            raise TrainingFailedError("the training was stopped", remedy="the next run goes on where it was")
        machine = psutil.virtual_memory()
        if machine.available < LEAST_FREE_SHARE * machine.total:
            raise TrainingFailedError(
                f"the training was ended: the machine has only {machine.available // MIB} MiB of memory left",
                remedy="the next run goes on where it was; OPINION_RETRAIN__METHOD=heads needs less",
            )
        held = memory_bytes(pid)
        self.peak_bytes = max(self.peak_bytes, held)
        if watch.most_memory_bytes is not None and held > watch.most_memory_bytes:
            self.remove()  # it would come to the same point again
            raise TrainingFailedError(
                f"the training took {held // MIB} MiB of memory, {watch.most_memory_bytes // MIB} are allowed",
                remedy="lower OPINION_RETRAIN__MICRO_TOKENS, set OPINION_RETRAIN__METHOD=lora or heads, or raise "
                "OPINION_RETRAIN__MOST_MEMORY_MB",
            )


def memory_bytes(pid: int) -> int:
    """Resident memory of a process and of all that it has started; 0 when it is gone."""
    held = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                held += one.memory_info().rss
    return held


class Pause:
    """Has the training wait while something more urgent needs the machine, but not for ever."""

    def __init__(self, file: Path, should_pause: Ask) -> None:
        self._file = file
        self._should_pause = should_pause
        self._asked_at = -PAUSE_EVERY_SECONDS
        self._paused_seconds = 0.0
        self._since: float | None = None
        self.end()

    def look(self, now: float) -> None:
        """Ask, if it is time to, and let the training wait or go on."""
        if now - self._asked_at < PAUSE_EVERY_SECONDS:
            return
        self._asked_at = now
        if self._since is not None:
            self._paused_seconds += now - self._since
        is_wanted = self._paused_seconds < MOST_PAUSED_SECONDS and self._should_pause()
        if is_wanted and self._since is None:
            self._file.touch()
            log.info("training_paused")
        elif not is_wanted and self._since is not None:
            self.end()
            log.info("training_goes_on", paused_seconds=round(self._paused_seconds))
        self._since = now if is_wanted else None

    def end(self) -> None:
        self._file.unlink(missing_ok=True)
