"""`opinion demo` as a person runs it: everything real, from raw records to the delivered alert."""

import json
import os
import subprocess
import sys

import pytest

from models.checkpoints import STARTER_FOLDER
from tests.support.servers import JARS

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not STARTER_FOLDER.is_dir(), reason="the starter checkpoint is not in models/starter"),
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """One run in an empty folder."""
    folder = tmp_path_factory.mktemp("demo")
    folder.chmod(0o755)  # PostgreSQL may run as another account
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPINION_")}
    return subprocess.run(
        [sys.executable, "-m", "opinion.cli", "demo", "--json"],
        cwd=folder,
        env={**environment, "OPINION_JARS": str(JARS)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def test_alert_is_delivered(finished: subprocess.CompletedProcess[str]) -> None:
    """Every record gets its fate, the scandal becomes an incident, and the webhook hears of it."""
    assert finished.returncode == 0, finished.stderr
    told = json.loads(finished.stdout)
    assert told["documents"] == told["stored"] + told["repeats"] + told["revisions"] + told["dead_lettered"]
    assert (told["repeats"], told["revisions"], told["dead_lettered"]) == (9, 1, 5)
    assert told["incidents"] >= 1
    assert told["delivered"] >= 1
    assert told["model_version"]


def test_stdout_is_one_json_object(finished: subprocess.CompletedProcess[str]) -> None:
    """With --json nothing but the result goes to stdout."""
    assert finished.stdout.count("\n") == 1
    assert set(json.loads(finished.stdout)) >= {
        "documents",
        "stored",
        "repeats",
        "dead_lettered",
        "incidents",
        "delivered",
        "model_version",
        "seconds",
    }
