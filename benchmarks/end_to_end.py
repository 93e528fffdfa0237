"""How many documents a second go from Kafka to SQL, beside what else one might write, and beside the limit?

    python -m benchmarks.end_to_end [--only WORD …] [--rounds 3] [--documents 2048]

Eight partitions, durable PostgreSQL, the same MiniLM weights and the same stream for all: seven tweets to one
article. In turns, each alone on the machine: a process is started, reads its first documents, and is then given
all others at once. Each round begins with the limit: the model over perfectly length-sorted batches, everything
else free. Ours and the fastest rival take part in every round, and then get documents at random times, 70 % of what
they have just done: each row's commit is compared with the time at which its document was sent. The others take
part in the first round and are measured by what they have done after 15 s.

Writes var/bench/end_to_end.json.
"""

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles

from benchmarks.contest.contestants import CONTESTANTS, Contestant, rivals_python
from benchmarks.contest.run import ContestantFailedError, Run
from benchmarks.contest.servers import Servers
from benchmarks.contest.stream import mixed_stream
from benchmarks.contest.weights import load_tokenizer, write_checkpoints

HOME = Path("var/bench")
LOGS = HOME / "logs"
WARM_UP = 128
SECONDS = 15.0
LOAD, LOAD_SECONDS = 0.7, 12.0
MOST_PER_SECOND = 600  # bounds the stream that is made for the load
MEGABYTE = 2**20


@dataclass
class Figures:
    """What was measured of one contestant, one entry a round."""

    documents_per_second: list[float] = field(default_factory=list)
    share_of_limit: list[float] = field(default_factory=list)
    peak_megabytes: list[float] = field(default_factory=list)
    p50_seconds: list[float] = field(default_factory=list)
    p95_seconds: list[float] = field(default_factory=list)
    padding_share: list[float] = field(default_factory=list)
    failed: str | None = None

    def line(self) -> str:
        """Medians, as a row of the table."""
        columns = (
            (self.documents_per_second, ".0f"),
            (self.share_of_limit, ".2f"),
            (self.padding_share, ".1%"),
            (self.peak_megabytes, ".0f"),
            (self.p50_seconds, ".2f"),
            (self.p95_seconds, ".2f"),
        )
        return self.failed or "".join(f"{format(median(v), form) if v else '':>12}" for v, form in columns)


class Contest:
    """One stream, one set of weights, and the figures of all who take part."""

    def __init__(self, servers: Servers, documents: int) -> None:
        self._servers = servers
        self._ours, self._theirs = (folder.resolve() for folder in write_checkpoints(HOME / "minilm"))
        rest = int(MOST_PER_SECOND * LOAD * LOAD_SECONDS)
        texts = mixed_stream(load_tokenizer(self._theirs), WARM_UP + documents + rest)
        self._warm_up, self._measured = texts[:WARM_UP], texts[WARM_UP : WARM_UP + documents]
        self._load = texts[WARM_UP + documents :]
        self.limits: list[float] = []
        self.figures: dict[str, Figures] = {}

    def measure_limit(self) -> None:
        """Begin a round."""
        texts = self._servers.folder / "texts.json"
        texts.write_text(json.dumps(self._measured), encoding="utf-8")
        command = [sys.executable, "-m", "benchmarks.contest.limit", self._ours, texts]
        self.limits.append(float(subprocess.run(command, check=True, capture_output=True).stdout))

    def measure(self, contestant: Contestant, python: Path) -> None:
        """Let one contestant run; one that cannot is left with the reason."""
        figures = self.figures.setdefault(contestant.name, Figures())
        checkpoint = self._ours if contestant.is_ours else self._theirs
        name = f"{contestant.slug}r{len(self.limits)}"
        try:
            with Run(self._servers, contestant, python, checkpoint, LOGS, name) as run:
                run.warm_up(self._warm_up)
                speed = run.throughput(self._measured, SECONDS)
                figures.documents_per_second.append(speed)
                figures.share_of_limit.append(speed / self.limits[-1])
                if contestant.is_fast:
                    rate = speed * LOAD
                    times = quantiles(run.latencies(self._load[: int(rate * LOAD_SECONDS)], rate), n=20)
                    figures.p50_seconds.append(times[9])
                    figures.p95_seconds.append(times[18])
                figures.peak_megabytes.append(run.peak_bytes() / MEGABYTE)
                if contestant.is_ours:
                    figures.padding_share.append(run.padding_share())
        except ContestantFailedError as failure:
            figures.failed = f"  {failure}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="WORD", help="those whose names have one of these words")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--documents", type=int, default=2048)
    arguments = parser.parse_args()
    chosen = [c for c in CONTESTANTS if not arguments.only or any(word in c.name for word in arguments.only)]
    python = rivals_python(HOME)
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    with Servers(jars=HOME.parent / "jars") as servers:
        contest = Contest(servers, arguments.documents)
        for number in range(arguments.rounds):
            contest.measure_limit()
            for contestant in chosen:
                if contestant.is_fast or number == 0:
                    contest.measure(contestant, python)
                    print(f"round {number + 1}: {contestant.name}", flush=True)
    print(f"\nlimit: {median(contest.limits):.0f} documents/s")
    print(
        f"{'':24}"
        + "".join(f"{title:>12}" for title in ("docs/s", "of limit", "padding", "peak MB", "p50 s", "p95 s"))
    )
    for name, figures in contest.figures.items():
        print(f"{name:24}{figures.line()}")
    out = HOME / "end_to_end.json"
    found = {name: asdict(figures) for name, figures in contest.figures.items()}
    out.write_text(json.dumps({"limits": contest.limits, "documents": arguments.documents, **found}, indent=1))


if __name__ == "__main__":
    main()
