"""How the threads wait that share one matrix product."""

import os
from typing import Final

POLICY: Final = "OMP_WAIT_POLICY"
SPINS: Final = "GOMP_SPINCOUNT"
FEW_SPINS: Final = "1000"  # some microseconds: the next product of a pass begins sooner than that


def let_waiting_threads_sleep() -> None:
    """Let OpenMP's threads spin briefly and then sleep, unless the environment says how they wait. Call it before
    torch is loaded, which reads it then.

    By default (GNU's OpenMP) a thread that is done with its part of a product spins for 300,000 rounds. On a core
    that somebody else needs (a broker, a database, another worker) that takes the time from whoever is waited for;
    docs/why/classification.md has the figures.
    """
    if POLICY not in os.environ:
        os.environ.setdefault(SPINS, FEW_SPINS)
