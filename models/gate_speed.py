"""Whether the candidate is fast enough to take the champion's place: both read the same texts, turn by turn.

Other work on the machine only ever adds time, and it comes and goes. So on a CPU the process's own CPU time is taken;
the two take turns within milliseconds of each other; and of two estimates that noise spoils in different ways (the
median of the ratios of neighbours, and the ratio of the two best times) the lower one counts. A candidate that seems
too slow is measured again before it is refused.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from core.texts import text_hash
from models.gate_checks import Check
from models.gate_options import GateOptions

TEXTS: Final = 64
TURNS: Final = 7
MORE_TURNS: Final = 14  # once again, if the first say that it is too slow

Read = Callable[[Sequence[str]], object]


@dataclass(frozen=True)
class Speed:
    """Texts a second of both, at their best, and how many times as long the candidate takes.

    On a CPU the seconds are those of its cores: with two threads a second on the wall has two of them.
    """

    texts: int
    turns: int
    champion: float
    candidate: float
    slowdown: float


def measure_speed(
    champion: Read,
    candidate: Read,
    texts: Sequence[str],
    options: GateOptions,
    *,
    clock: Callable[[], float],
) -> Speed | None:
    """Time both on a sample of the texts. Blocks for a few passes over it; None without texts.

    Args:
        clock: seconds, see `clock_of`.
    """
    sample = sorted(set(texts), key=text_hash)[:TEXTS]
    if not sample:
        return None
    pairs: list[tuple[float, float]] = []
    _turns(champion, candidate, sample, 1, clock)  # warms both up on these lengths
    for turns in (TURNS, MORE_TURNS):
        pairs += _turns(champion, candidate, sample, turns, clock)
        if slowdown(pairs) <= options.most_slowdown:
            break
    return Speed(
        len(sample),
        len(pairs),
        round(len(sample) / min(was for was, _ in pairs), 1),
        round(len(sample) / min(now for _, now in pairs), 1),
        round(slowdown(pairs), 2),
    )


def clock_of(device: str) -> Callable[[], float]:
    """The clock for a kind of device: a process that waits for a GPU spends no time of its own."""
    return time.process_time if device == "cpu" else time.perf_counter


def slowdown(pairs: Sequence[tuple[float, float]]) -> float:
    """How many times as long the candidate takes, from seconds of (champion, candidate)."""
    best = min(now for _, now in pairs) / min(was for was, _ in pairs)
    return min(best, median(now / was for was, now in pairs))


def check_speed(speed: Speed | None, options: GateOptions) -> list[Check]:
    """Refused where it takes more than so many times as long."""
    if speed is None:
        return [Check("speed", None, "speed was not judged: no texts")]
    return [
        Check(
            "speed",
            speed.slowdown <= options.most_slowdown,
            f"speed: {speed.candidate:g} texts a second, champion {speed.champion:g}; takes {speed.slowdown:g} times "
            f"as long, may take {options.most_slowdown:g} ({speed.turns} turns on {speed.texts} texts)",
        )
    ]


def _turns(
    champion: Read, candidate: Read, texts: Sequence[str], turns: int, clock: Callable[[], float]
) -> list[tuple[float, float]]:
    """Who begins changes with every turn, so that neither always finds the caches of the other."""
    pairs = []
    for turn in range(turns):
        order = (champion, candidate) if turn % 2 == 0 else (candidate, champion)
        seconds = []
        for read in order:
            started = clock()
            read(texts)
            seconds.append(max(clock() - started, 1e-9))
        pairs.append((seconds[0], seconds[1]) if turn % 2 == 0 else (seconds[1], seconds[0]))
    return pairs
