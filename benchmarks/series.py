"""Many series on one clock: seconds a tick on one core, and memory over ten thousand ticks.

    python -m benchmarks.series [--series 10000 --series 100000] [--ticks 20] [--long-ticks 10000]

A tick is one bucket of every series: judged, learned, and its episodes carried on (`alerts.detection.timeline`),
from counts in
memory. Volumes are those of `benchmarks.spikes` (0.05 to 63 documents a bucket, one in five negative). Memory is
watched over the long run with a hundredth of the first size. Writes var/bench/series.json.
"""

import argparse
import json
import resource
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from alerts.detection.detectors import DetectorOptions
from alerts.detection.timeline import SeriesTimeline

START = datetime(2024, 1, 1, tzinfo=UTC)
WARM_UP = 60  # ticks, so that every window is filled
MIB = 1 << 20


class Ticks:
    """A clock with so many series."""

    def __init__(self, series: int) -> None:
        self._options = DetectorOptions(learning_buckets=WARM_UP)
        self._timelines = [SeriesTimeline(self._options) for _ in range(series)]
        self._rng = np.random.default_rng(1)
        self._base = np.exp(self._rng.uniform(np.log(0.05), np.log(63), series))
        self._at = START

    def tick(self) -> float:
        """Seconds of CPU of one more bucket, without making up its counts."""
        totals = self._rng.poisson(self._base)
        counts = list(zip(self._rng.binomial(totals, 0.2).tolist(), totals.tolist(), strict=True))
        started = time.process_time()
        for timeline, (negatives, total) in zip(self._timelines, counts, strict=True):
            timeline.advance(self._at, negatives, total)
        self._at += self._options.bucket
        return time.process_time() - started


def resident_bytes() -> int:
    """Of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, action="append")
    parser.add_argument("--ticks", type=int, default=20)
    parser.add_argument("--long-ticks", type=int, default=10_000)
    arguments = parser.parse_args()
    sizes: list[int] = arguments.series or [10_000, 100_000]
    found: dict[str, Any] = {"sizes": []}
    for size in sizes:
        clock = Ticks(size)
        for _ in range(WARM_UP):
            clock.tick()
        seconds = [clock.tick() for _ in range(arguments.ticks)]
        one = {"series": size, "median_seconds": median(seconds), "slowest_seconds": max(seconds)}
        found["sizes"].append(one)
        print(", ".join(f"{name} {value:.3g}" for name, value in one.items()), flush=True)
        del clock
    clock = Ticks(sizes[0] // 100)
    memory = []
    for nth in range(arguments.long_ticks + 1):
        clock.tick()
        if nth % (arguments.long_ticks // 10) == 0:
            memory.append(resident_bytes())
    found["memory_mib"] = [round(one / MIB, 1) for one in memory]
    print(f"resident MiB over {arguments.long_ticks} ticks of {sizes[0] // 100} series: {found['memory_mib']}")
    out = Path("var/bench/series.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
