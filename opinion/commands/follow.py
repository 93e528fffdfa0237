"""`opinion follow`: documents of whatever files others put into a folder."""

import signal
import threading
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer
from watchfiles import watch

from core.errors import DependencyNotReadyError, NotFoundError, UsageError
from core.logs import configure_logs, get_logger
from core.settings import load_settings
from opinion.commands.reading_options import (
    EncodingOption,
    KindOption,
    LangOption,
    MapOption,
    SourceOption,
    TimeFormatOption,
    TimezoneOption,
    limits_of,
    reading_of,
)
from opinion.servers import say, servers
from streams import topics
from streams.intake import IntakeLimits
from streams.sources.files import BadLine, Reading, read_documents
from streams.sources.folder import Folder
from streams.sources.producer import DocumentProducer
from streams.sources.rejects import Rejects

log = get_logger(__name__)

AGAIN_SECONDS: Final = 5.0  # after a broker that did not take a file


def follow(
    folder: Annotated[Path, typer.Argument(help="Where files of documents are put.")],
    map_: MapOption = None,
    source: SourceOption = None,
    kind: KindOption = None,
    lang: LangOption = None,
    timezone: TimezoneOption = None,
    time_format: TimeFormatOption = "",
    encoding: EncodingOption = None,
    settle: Annotated[float, typer.Option(help="Seconds without a change: a file is complete.", min=0.1)] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Read what is there, then end.")] = False,
) -> None:
    """Read every file that is put into a folder, then move it to done/, or to failed/ with the reasons.

    JSONL, CSV and Parquet, as `opinion import` reads them. A name that begins with a dot or ends in .part or .tmp is
    left alone until it is renamed. Symbolic links are not followed.

    Example: opinion follow /srv/exports --map text=content --source weibo
    """
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)
    reading = reading_of(map_, {"source": source, "kind": kind, "lang": lang}, time_format, encoding)
    limits = limits_of(settings, timezone)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with Folder(folder, settle) as watched, servers(settings, need_postgres=False) as addresses:
        topics.apply(addresses.kafka_bootstrap, settings.kafka)
        topic = settings.kafka.topic_prefix + topics.RAW
        take = partial(_take, bootstrap=addresses.kafka_bootstrap, topic=topic, limits=limits, reading=reading)
        say(f"Following {folder} (Ctrl-C stops it).")
        idle_looks = 0
        while not stopping.is_set():
            try:
                files = watched.work(take, time.monotonic())
            except DependencyNotReadyError as error:
                log.warning("folder_waits", reason=error.message)
                stopping.wait(AGAIN_SECONDS)
                continue
            idle_looks = 0 if files else idle_looks + 1
            if once and idle_looks > 1:
                return
            _wait(folder, settle, stopping)


def _take(
    path: Path, rejects: Rejects, *, bootstrap: str, topic: str, limits: IntakeLimits, reading: Reading
) -> None:
    """A file's documents onto the topic; returns when the broker has acknowledged them all."""
    try:
        with DocumentProducer(bootstrap, topic) as producer:
            for item, _ in read_documents(path, limits, reading):
                if isinstance(item, BadLine):
                    rejects.add(path.name, item)
                else:
                    producer.send(item)
    except (UsageError, NotFoundError, OSError) as error:  # a format or columns that cannot be read, or no permission
        rejects.add(path.name, BadLine(0, str(error), ""))


def _wait(folder: Path, settle: float, stopping: threading.Event) -> None:
    """Until something changes in the folder, or for as long as a file takes to settle."""
    milliseconds = int(settle * 1000)
    for _ in watch(
        folder,
        recursive=False,
        stop_event=stopping,
        rust_timeout=milliseconds,
        yield_on_timeout=True,
        debounce=milliseconds,
        raise_interrupt=False,
    ):
        return
