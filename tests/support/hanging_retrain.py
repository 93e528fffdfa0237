"""`python -m tests.support.hanging_retrain URL OPTIONS MARKER`: retrains, and hangs between the verdict and its
commit."""

import json
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opinion import retraining
from opinion.retraining import RetrainOptions, retrain
from storage import training_runs
from storage.engine import connect


def main(url: str, told: dict[str, Any], marker: Path) -> None:
    finish = training_runs.finish

    def finish_and_hang(*arguments: Any, **named: Any) -> None:
        finish(*arguments, **named)
        marker.touch()
        threading.Event().wait()

    retraining.training_runs.finish = finish_and_hang
    options = RetrainOptions(**{**told, "home": Path(told["home"])})
    retrain(connect(url), options, min_new_labels=1, now=datetime(2026, 5, 2, tzinfo=UTC))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3]))
