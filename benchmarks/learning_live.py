"""Does the stream notice that its models learn? Labels in, retrain, shadow, promote, roll back; then count.

    python -m benchmarks.learning_live [--per-second 4] [--labels 500] [--before 60] [--workers 1] [--keep]

One home of its own under var/bench/learning-live, the embedded servers, and every step by the command that a person
would type. Documents come at a steady pace all the time. Measured is the time from the record in Kafka to the store
step of its row, in each phase; told is which models the rows were judged by, how soon each worker swapped, and the
longest time in which no row came. In the end everything that was sent must be there once, and `opinion audit` clean.

Exit code 1 when anything was lost or doubled, or when the 95th percentile during training is more than twice that
before. Writes var/bench/learning_live.json.
"""

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count, pairwise
from pathlib import Path
from typing import Any, Final

from kafka import KafkaProducer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, text

from core.settings import Settings
from opinion.servers import kafka_address, postgres_address
from storage import worker_models
from storage.engine import connect
from streams import topics

BENCH: Final = Path("var/bench")
DATA: Final = Path("../shared/data/sentiment")
LABELS: Final = DATA / "bank_comments.train.jsonl.gz"
STREAM: Final = (DATA / "bank_comments.test.jsonl.gz", DATA / "semeval_tweets.test.jsonl.gz")
START_SECONDS, TRAIN_SECONDS, SWAP_SECONDS, DRAIN_SECONDS = 300.0, 3600.0, 180.0, 300.0
SETTLE_SECONDS: Final = 20.0  # after a swap, so that its phase has documents
SHADOW_SECONDS: Final = 900.0
SHADOW_DOCUMENTS: Final = 100
MOST_SLOWER: Final = 2.0
stderr = Console(stderr=True, highlight=False)


@dataclass
class Phase:
    """What came between two times."""

    name: str
    began_at: datetime
    ended_at: datetime
    documents: int = 0
    p50_seconds: float | None = None
    p95_seconds: float | None = None
    longest_gap_seconds: float | None = None
    models: dict[str, int] = field(default_factory=dict)


class Live:
    """A running stack, its stream, and the commands."""

    def __init__(self, home: Path, workers: int) -> None:
        own = {
            "OPINION_HOME": str(home),
            "OPINION_JARS": str(Path("var/jars").resolve()),
            "OPINION_RETRAIN__EVERY": "P30D",  # the job is started by hand here
            "OPINION_RETRAIN__MIN_NEW_LABELS": "1000000",
            "OPINION_SHADOW__DOCUMENTS": str(SHADOW_DOCUMENTS),
            "OPINION_SHADOW__FEWEST_DOCUMENTS": str(SHADOW_DOCUMENTS // 2),
            "PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")]),
        }
        self.environment = {**os.environ, **own}
        self.home = home
        self.settings = Settings(home=home)
        self.sent = 0
        self._workers = workers
        self._stopping = threading.Event()

    @contextmanager
    def running(self) -> Iterator[Engine]:
        """`opinion up` until the block ends."""
        log = (self.home / "up.log").open("wb")
        argv = [sys.executable, "-m", "opinion.cli", "up", "--no-web", "--workers", str(self._workers)]
        up = subprocess.Popen(argv, env=self.environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_until(lambda: self._are_workers_there(up), START_SECONDS, "the stack")
            url = postgres_address(self.settings)
            assert url
            engine = connect(url, pool_size=2)
            try:
                yield engine
            finally:
                self._stopping.set()
                engine.dispose()
        finally:
            up.terminate()
            up.wait(120)
            log.close()

    def _are_workers_there(self, up: "subprocess.Popen[bytes]") -> bool:
        if up.poll() is not None:
            raise SystemExit((self.home / "up.log").read_text()[-2000:])
        url = postgres_address(self.settings)
        if url is None or kafka_address(self.settings) is None:
            return False
        engine = connect(url, pool_size=1)
        try:
            with engine.connect() as connection:
                return len(worker_models.alive(connection)) == self._workers
        except Exception:  # it is not migrated yet
            return False
        finally:
            engine.dispose()

    def produce(self, per_second: float) -> threading.Thread:
        """Documents at a steady pace until `finish`."""
        bootstrap = kafka_address(self.settings)
        assert bootstrap
        texts = [one["text"] for path in STREAM for one in read(path)]
        producer = KafkaProducer(bootstrap_servers=bootstrap.split(","), acks="all")

        def run() -> None:
            began = time.monotonic()
            for number in count():
                if self._stopping.wait(max(0.0, began + number / per_second - time.monotonic())):
                    break
                said = f"{texts[number % len(texts)]} {number}"
                at = datetime.now(UTC).isoformat()
                body = {"id": f"live:{number}", "source": "live", "text": said, "published_at": at, "crawled_at": at}
                producer.send(topics.RAW, key=body["id"].encode(), value=json.dumps(body).encode())
                self.sent = number + 1
            producer.flush(60)
            producer.close()

        thread = threading.Thread(target=run, name="stream", daemon=True)
        thread.start()
        return thread

    def finish(self, stream: threading.Thread) -> None:
        """Stop producing."""
        self._stopping.set()
        stream.join(90)

    def opinion(self, *argv: str, may_refuse: bool = False) -> dict[str, Any]:
        """A command; what it says as JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "opinion.cli", *argv, "--json"],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=TRAIN_SECONDS,
        )
        if done.returncode not in ((0, 5) if may_refuse else (0,)):
            raise SystemExit(f"opinion {' '.join(argv)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return said


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--per-second", type=float, default=4)
    asked.add_argument("--labels", type=int, default=500)
    asked.add_argument("--before", type=float, default=60)
    asked.add_argument("--workers", type=int, default=1)
    asked.add_argument("--keep", action="store_true", help="do not remove the home")
    options = asked.parse_args()
    home = (BENCH / "learning-live").resolve()
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    home.chmod(0o755)
    live = Live(home, options.workers)
    with live.running() as engine:
        body = run(live, engine, options)
    body["settings"] = vars(options)
    (BENCH / "learning_live.json").write_text(json.dumps(body, indent=2, ensure_ascii=False, default=str) + "\n")
    if not options.keep:
        shutil.rmtree(home, ignore_errors=True)
    show(body)
    print(json.dumps({name: body[name] for name in ("lost", "doubled", "slower", "is_clean", "is_good")}))
    sys.exit(0 if body["is_good"] else 1)


def run(live: Live, engine: Engine, options: argparse.Namespace) -> dict[str, Any]:
    """The story, and what became of it."""
    stream = live.produce(options.per_second)
    times: list[tuple[str, datetime]] = []

    def begin(name: str) -> None:
        times.append((name, datetime.now(UTC)))
        stderr.print(f"{times[-1][1]:%H:%M:%S}  {name}")

    begin("warming up")
    wait_until(lambda: rows(engine) >= min(50, 10 * options.per_second), START_SECONDS, "the first rows")
    begin("before")
    time.sleep(options.before)
    begin("labels in")
    labels = live.opinion("labels", "import", str(label_file(live.home, options.labels)))
    begin("training")
    retrained = live.opinion("retrain", may_refuse=True)
    begin("shadow")
    candidate = retrained["candidate"]
    assert candidate, retrained
    if retrained.get("shadow") is None and champion(live) != candidate:  # the gate said no: it is shown all the same
        live.opinion("models", "shadow", candidate, "--start")
    shadow = wait_for_shadow(engine, candidate)
    begin("promotion")
    swaps = {}
    if champion(live) != candidate:  # the shadow left it to a person
        live.opinion("models", "promote", candidate)
    swaps["promotion"] = seconds_until_swapped(engine, candidate)
    time.sleep(SETTLE_SECONDS)
    begin("rollback")
    before = live.opinion("models", "rollback")["champion"]
    swaps["rollback"] = seconds_until_swapped(engine, before)
    time.sleep(SETTLE_SECONDS)
    times.append(("end", datetime.now(UTC)))
    live.finish(stream)
    wait_until(lambda: rows(engine) >= live.sent, DRAIN_SECONDS, "the last rows", may_miss=True)
    phases = [phase(engine, name, at, end) for (name, at), (_, end) in pairwise(times)]
    p95 = {one.name: one.p95_seconds for one in phases}
    slower = p95["training"] / p95["before"] if p95["training"] and p95["before"] else None
    found = rows(engine)
    audited = live.opinion("audit", may_refuse=True)
    with engine.connect() as connection:
        settled = connection.scalar(text("SELECT sum(last_offset - first_offset + 1) FROM offset_ledger"))
    is_clean = bool(audited.get("is_clean"))
    return {
        "sent": live.sent,
        "rows": found,
        "lost": max(0, live.sent - found),
        "doubled": max(0, int(settled or 0) - live.sent),
        "is_clean": is_clean,
        "slower": slower,
        "swap_seconds": swaps,
        "labels": labels["new"],
        "candidate": candidate,
        "gate": retrained["reasons"],
        "shadow": shadow,
        "phases": [vars(one) for one in phases],
        "is_good": live.sent == found and is_clean and slower is not None and slower <= MOST_SLOWER,
    }


def champion(live: Live) -> str:
    return str(live.opinion("models", "list")["champion"])


def rows(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM document")) or 0)


def wait_for_shadow(engine: Engine, candidate: str) -> dict[str, Any]:
    """What the shadow came to, once it has; empty where there was none."""

    def found() -> dict[str, Any]:
        with engine.connect() as connection:
            row = connection.execute(_SHADOW, {"candidate": candidate}).one_or_none()
        return dict(row._mapping) if row else {}

    wait_until(lambda: found().get("state") != "scoring", SHADOW_SECONDS, "the shadow to end", may_miss=True)
    return found()


_SHADOW: Final = text("""
    SELECT state, reasons, documents FROM bi.shadow WHERE candidate = :candidate ORDER BY shadow_id DESC LIMIT 1
""")


def seconds_until_swapped(engine: Engine, version: str) -> float:
    """From its promotion until the last worker ran this version, by the database's clock."""

    def have_swapped() -> bool:
        with engine.connect() as connection:
            found = worker_models.alive(connection)
        return bool(found) and all(one.version == version for one in found)

    wait_until(have_swapped, SWAP_SECONDS, f"the workers to run {version}")
    with engine.connect() as connection:
        return round(float(connection.scalar(_SWAPPED, {"version": version}) or 0), 1)


_SWAPPED: Final = text("""
    SELECT extract(epoch FROM (SELECT max(changed_at) FROM worker_model WHERE version = :version)
                              - (SELECT max(promoted_at) FROM model_promotion WHERE version = :version))
""")
_PHASE: Final = text("""
    WITH d AS (
        SELECT stored_at, model_version, extract(epoch FROM stored_at - recorded_at) AS seconds,
               extract(epoch FROM stored_at - lag(stored_at) OVER (ORDER BY stored_at)) AS gap
        FROM document WHERE recorded_at >= :begin AND recorded_at < :end
    )
    SELECT count(*) AS documents, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50,
           percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95, max(gap) AS gap
    FROM d
""")
_MODELS: Final = text("""
    SELECT model_version, count(*) FROM document WHERE recorded_at >= :begin AND recorded_at < :end GROUP BY 1
""")


def phase(engine: Engine, name: str, begin: datetime, end: datetime) -> Phase:
    """Of the records of that time."""
    span = {"begin": begin, "end": end}
    with engine.connect() as connection:
        row = connection.execute(_PHASE, span).one()
        models = {version: documents for version, documents in connection.execute(_MODELS, span)}  # noqa: C416 - rows
    p50, p95, gap = (None if value is None else round(float(value), 3) for value in (row.p50, row.p95, row.gap))
    return Phase(name, begin, end, row.documents, p50, p95, gap, models)


def label_file(home: Path, wanted: int) -> Path:
    """The first labels of the file, as `opinion labels import` takes them."""
    path = home / "labels.jsonl"
    lines = [
        {"text": one["text"], "sentiment": one["sentiment"], "lang": one["lang"], "source": "live"}
        for one in read(LABELS)[:wanted]
    ]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def wait_until(condition: Callable[[], bool], seconds: float, what: str, *, may_miss: bool = False) -> None:
    """Ask again and again."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            if may_miss:
                return
            raise SystemExit(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.5)


def show(body: dict[str, Any]) -> None:
    """A table for people."""
    table = Table(
        "phase", "seconds", "documents", "p50 s", "p95 s", "longest gap s", "judged by", title="Learning live"
    )
    for one in body["phases"]:
        seconds = (one["ended_at"] - one["began_at"]).total_seconds()
        figures = ("" if one[name] is None else f"{one[name]:.2f}" for name in ("p50_seconds", "p95_seconds"))
        gap = "" if one["longest_gap_seconds"] is None else f"{one['longest_gap_seconds']:.1f}"
        models = ", ".join(f"{version} {documents}" for version, documents in one["models"].items())
        table.add_row(one["name"], f"{seconds:.0f}", str(one["documents"]), *figures, gap, models)
    stderr.print(table)
    slower = "unknown" if body["slower"] is None else f"{body['slower']:.2f} times"
    stderr.print(
        f"{body['sent']} sent, {body['rows']} rows, {body['lost']} lost, {body['doubled']} doubled, audit "
        f"{'clean' if body['is_clean'] else 'not clean'}; p95 during training {slower} that before; "
        f"swaps after {body['swap_seconds']} s",
        markup=False,
    )


if __name__ == "__main__":
    main()
