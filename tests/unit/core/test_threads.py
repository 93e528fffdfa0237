"""How threads wait."""

import os
import subprocess
import sys

import pytest

from core.threads import WAIT_POLICY


def policy(program: str, **environment: str) -> str:
    """What OpenMP says it was told, in a process of its own."""
    bare = {name: value for name, value in os.environ.items() if name != WAIT_POLICY}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=bare | {"OMP_DISPLAY_ENV": "true"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return next(line.split("'")[1] for line in done.stderr.splitlines() if WAIT_POLICY in line).upper()


WORKER = "from streams.lean_imports import lean_imports\nwith lean_imports():\n    import torch"
COMMAND = (
    "import sys; sys.argv = ['opinion', 'classify', '--help']\nimport opinion.cli\n"
    "try:\n    opinion.cli.main()\nexcept SystemExit:\n    import torch"
)


@pytest.mark.parametrize("program", [WORKER, COMMAND], ids=["worker", "command"])
def test_a_worker_and_a_command_do_not_spin(program: str) -> None:
    """torch's threads sleep while they wait; that is settled before torch is loaded."""
    assert policy(program) == "PASSIVE"


def test_the_environment_has_the_last_word() -> None:
    """Whoever has cores to spare may let threads spin."""
    assert policy(WORKER, OMP_WAIT_POLICY="active") == "ACTIVE"
