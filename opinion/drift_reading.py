"""What a check for drift reads, and the child process that reads it."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

import msgspec
from sqlalchemy import Connection

from core import children
from core.errors import OpinionError
from core.scrubbing import scrub
from models.datasets import LabelledText
from opinion.drift_child import JOB_FILE, OUTCOME_FILE, DriftJob, DriftOutcome
from opinion.drift_windows import Windows
from storage import drift_checks, human_labels
from storage.adjudication import adjudicate
from storage.drift_samples import sample

REFERENCE_TIMES: Final = 2  # as many documents before as now: a threshold is only as good as they are many
DOUBTFUL_READ: Final = 6  # times as many are read to find doubtful ones
MOST_DOUBTFUL: Final = 1500  # of each span: clustering takes the square of them
MOST_LABELLED: Final = 2000
STALE_SECONDS: Final = 24 * 3600.0

ShouldStop = Callable[[], bool]


class DriftFailedError(OpinionError):
    """The check for drift ended without a result."""


@dataclass(frozen=True)
class DriftOptions:
    """How checks are made; see `core.settings.DriftSettings` and `ModelSettings`."""

    home: Path
    checkpoint: str
    reference: timedelta
    window: timedelta
    documents: int
    device: Literal["auto", "cpu", "cuda"]
    batch_tokens: int
    max_length: int
    threads: int


def gathered(connection: Connection, version: str, path: str, windows: Windows, options: DriftOptions) -> DriftJob:
    """What the child reads; a bounded number of documents, whatever is stored."""
    seen = drift_checks.last_label_of(connection, version)
    answered, _ = adjudicate(row for row in human_labels.rows(connection) if row.id > seen)
    newer, older = (
        sample(connection, *span, most=DOUBTFUL_READ * options.documents, doubted_by=version)[:MOST_DOUBTFUL]
        for span in (windows.newer, windows.older)
    )
    return DriftJob(
        champion=path,
        reference=sample(connection, *windows.reference, most=REFERENCE_TIMES * options.documents),
        current=sample(connection, *windows.current, most=options.documents),
        labelled=[
            LabelledText(
                scrub(one.text), one.answers.get("topic"), one.answers.get("sentiment"), one.lang, one.source
            )
            for one in answered[-MOST_LABELLED:]
        ],
        newer=newer,
        older=older,
        device=options.device,
        batch_tokens=options.batch_tokens,
        max_length=options.max_length,
        threads=options.threads or 1,
    )


def computed(job: DriftJob, options: DriftOptions, should_stop: ShouldStop) -> DriftOutcome:
    """Compute in a child process, so that torch's memory is not ours. It is stopped when we are told to stop."""
    home = options.home.resolve()
    (home / "drift").mkdir(parents=True, exist_ok=True)
    for left in (home / "drift").iterdir():  # of a check whose process was killed: texts lie in it
        if time.time() - left.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=home / "drift"))  # of 0700: texts lie in it
    log_file = home / "logs" / "drift.log"
    try:
        (folder / JOB_FILE).write_bytes(msgspec.json.encode(job))
        environment = {**os.environ, "OMP_NUM_THREADS": str(job.threads), "TOKENIZERS_PARALLELISM": "false"}
        with children.open_log(log_file) as child_log:
            child = children.spawn(
                [sys.executable, "-m", "opinion.drift_child", str(folder)], stdout=child_log, env=environment
            )
        code = children.work_off(child, should_stop)
        if code is None:
            raise DriftFailedError("the check for drift was stopped", remedy="the next one starts anew")
        if code != 0:
            raise DriftFailedError(
                f"the check for drift {children.ending(code)}",
                remedy=f"{log_file} says why:\n{children.tail(log_file, 6)}",
            )
        return msgspec.json.decode((folder / OUTCOME_FILE).read_bytes(), type=DriftOutcome)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
