"""How the threads wait that share one matrix product."""

import os
from typing import Final

WAIT_POLICY: Final = "OMP_WAIT_POLICY"


def let_waiting_threads_sleep() -> None:
    """Set OpenMP's wait policy, unless the environment has one. Call it before torch is loaded, which reads it then.

    By default a thread that is done with its part of a product spins until the others are. On a core that somebody
    else needs (a broker, a database, a second worker) that takes the time from whoever is waited for: on two cores
    beside a load of 5 the classifier reads several times as much with threads that sleep; docs/why/classification.md.
    """
    os.environ.setdefault(WAIT_POLICY, "passive")
