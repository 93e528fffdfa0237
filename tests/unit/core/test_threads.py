"""How threads wait."""

import os
import subprocess
import sys

import pytest

from core.threads import FEW_SPINS, POLICY, SPINS


def spins(program: str, **environment: str) -> str:
    """What OpenMP was told, as it says itself, in a process of its own."""
    bare = {name: value for name, value in os.environ.items() if name not in (POLICY, SPINS)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=bare | {"OMP_DISPLAY_ENV": "verbose"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    said = [line.split("'")[1] for line in done.stderr.splitlines() if SPINS in line]
    if not said:
        pytest.skip("torch's OpenMP is not GNU's here")
    return said[0]


WORKER = "from streams.lean_imports import lean_imports\nwith lean_imports():\n    import torch"
COMMAND = (
    "import sys; sys.argv = ['opinion', 'classify', '--help']\nimport opinion.cli\n"
    "try:\n    opinion.cli.main()\nexcept SystemExit:\n    import torch"
)


@pytest.mark.parametrize("program", [WORKER, COMMAND], ids=["worker", "command"])
def test_a_worker_and_a_command_hardly_spin(program: str) -> None:
    """torch's threads soon sleep while they wait; that is settled before torch is loaded."""
    assert spins(program) == FEW_SPINS


def test_the_environment_has_the_last_word() -> None:
    """Whoever has cores to spare may let threads spin."""
    assert int(spins(WORKER, OMP_WAIT_POLICY="active")) > int(FEW_SPINS)
    assert spins(WORKER, GOMP_SPINCOUNT="7") == "7"
