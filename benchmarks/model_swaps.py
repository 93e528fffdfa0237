"""What does a swap of models cost a worker: how long do batches wait, and does memory come back?

    python -m benchmarks.model_swaps [--swaps 10] [--batch 64]

Two copies of the starter take over from each other while one batch follows the other, as in a worker: loaded and
warmed up by `streams.swapping` in its thread. Told are the longest batch of each swap beside the usual one, and what
the process holds once each swap is done.

Writes var/bench/model_swaps.json.
"""

import argparse
import json
import shutil
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine

from core.logs import configure_logs
from core.records import Document, ModelAnnouncement
from models.checkpoints import STARTER, resolve
from models.inference import Classifier
from models.registry import stamp
from streams.classify import ClassifyStep
from streams.swapping import ModelSwapper, settle_objects, trim_memory

OUT = Path("var/bench/model_swaps.json")
USUAL_BATCHES = 10
MEGABYTE = 2**20


class Batches:
    """One after the other, in a thread; how long each took."""

    def __init__(self, step: ClassifyStep, size: int) -> None:
        self.seconds: list[float] = []
        self._step, self._size = step, size
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._stopping.is_set():
            texts = [f"这家店的服务很差，客服电话打不通 {number + n}" for n in range(self._size)]
            number += self._size
            began = time.monotonic()
            self._step.run([Document(text=text, lang="zh") for text in texts])
            self.seconds.append(time.monotonic() - began)

    def wait_for(self, count: int) -> None:
        """So many more."""
        wanted = len(self.seconds) + count
        while len(self.seconds) < wanted:
            time.sleep(0.01)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--swaps", type=int, default=10)
    asked.add_argument("--batch", type=int, default=64)
    options = asked.parse_args()
    configure_logs("error", "console")
    with tempfile.TemporaryDirectory() as home:
        body = measure([copy(Path(home) / name, name) for name in ("swap-a", "swap-b")], options.swaps, options.batch)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    show(body)


def copy(folder: Path, name: str) -> Path:
    shutil.copytree(resolve(STARTER), folder)
    stamp(folder, name, parent=None, created_at=datetime.now(UTC))
    return folder


def measure(folders: list[Path], swaps: int, batch: int) -> dict[str, Any]:
    def load(path: str) -> Classifier:
        return Classifier.load(path, cache_entries=0)

    step = ClassifyStep(load(str(folders[0])), load)
    freed = threading.Event()

    def give_back() -> None:
        trim_memory()
        freed.set()

    nowhere = create_engine("postgresql+psycopg://127.0.0.1:9/none")  # reports fail, and are only logged
    swapper = ModelSwapper(step, nowhere, give_back_memory=give_back)
    batches = Batches(step, batch)
    batches.wait_for(USUAL_BATCHES)
    settle_objects()
    swapper.start()
    trim_memory()
    before, usual, rows = resident(), median(batches.seconds), []
    for number in range(1, swaps + 1):
        freed.clear()
        first, began = len(batches.seconds), time.monotonic()
        folder = folders[number % 2]
        swapper.announced(ModelAnnouncement(version=folder.name, path=str(folder), promoted_at=datetime.now(UTC)))
        freed.wait(300)
        took = time.monotonic() - began
        batches.wait_for(2)
        rows.append(
            {
                "swap": number,
                "seconds": round(took, 2),
                "longest_batch_seconds": round(max(batches.seconds[first:]), 3),
                "megabytes": round(resident()),
            }
        )
    batches.stop()
    swapper.stop()
    return {"usual_batch_seconds": round(usual, 3), "megabytes_before": round(before), "swaps": rows}


def resident() -> float:
    return psutil.Process().memory_info().rss / MEGABYTE


def show(body: dict[str, Any]) -> None:
    table = Table("swap", "s until swapped", "longest batch, s", "MiB after", title="Swaps of the starter")
    for row in body["swaps"]:
        table.add_row(*(str(value) for value in row.values()))
    console = Console()
    console.print(table)
    console.print(f"usual batch {body['usual_batch_seconds']} s, {body['megabytes_before']} MiB before")


if __name__ == "__main__":
    main()
