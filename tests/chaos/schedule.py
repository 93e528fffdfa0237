"""The written schedule of a run: which fault, on whom, when and for how long. Everything follows from the seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

GAP_SECONDS = (2.0, 7.0)

# How long each fault lasts, in seconds: from, to. Zero: it is over as soon as it is done.
LASTS: dict[str, tuple[float, float]] = {
    "worker_kill": (0, 0),
    "worker_term": (0, 0),
    "worker_stop": (12, 16),  # SIGSTOP for longer than the session timeout of 10 s, then SIGCONT
    "worker_add": (0, 0),
    "worker_remove": (0, 0),
    "all_workers_kill": (0, 0),
    "scheduler_kill": (0, 0),
    "scheduler_term": (0, 0),
    "scheduler_stop": (8, 20),
    "postgres_stop": (30, 30),
    "postgres_kill": (0, 0),
    "broker_restart": (0, 0),
    "broker_kill": (2, 6),
    "rolling_restart": (0, 0),
    "two_of_three_kill": (8, 15),
    "model_swap": (0, 0),
    "disk_full": (0, 0),
    "slow_batches": (0, 0),
    "out_of_memory": (0, 0),
    "raising_batch": (0, 0),
}
NEEDS_THREE_NODES = {"rolling_restart", "two_of_three_kill"}
NESTED = ("worker_kill", "worker_term", "scheduler_kill", "postgres_kill")
NESTED_SHARE = 0.3  # of the faults that last, how many have another one in their middle


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        after: seconds between the end of the fault before it and its start.
        target: which worker, scheduler or node is meant, counted round the living ones.
        lasts: seconds until it is taken back.
        inside: another fault in its middle.
    """

    kind: str
    after: float
    target: int
    lasts: float = 0.0
    inside: str | None = None


def make_schedule(seed: int, faults: int, nodes: int, *, longest: float | None = None) -> list[Fault]:
    """`faults` faults, nested ones counted. Every kind comes once before any comes again.

    Args:
        longest: no fault lasts longer than so many seconds; for short runs.
    """
    random = Random(f"schedule-{seed}")
    kinds = [kind for kind in LASTS if nodes >= 3 or kind not in NEEDS_THREE_NODES]
    dealt = _deal(random, kinds)
    schedule: list[Fault] = []
    left = faults
    while left > 0:
        kind = next(dealt)
        lasts = min(random.uniform(*LASTS[kind]), longest or float("inf"))
        is_nested = left > 1 and lasts > 5 and random.random() < NESTED_SHARE
        inside = random.choice([one for one in NESTED if one.split("_")[0] != kind.split("_")[0]])
        schedule.append(
            Fault(kind, random.uniform(*GAP_SECONDS), random.randrange(12), lasts, inside if is_nested else None)
        )
        left -= 1 + is_nested
    return schedule


def _deal(random: Random, kinds: list[str]) -> Iterator[str]:
    while True:
        yield from random.sample(kinds, len(kinds))
