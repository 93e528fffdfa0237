"""How sure a share is, and the change between two. Pure.

Wilson, JASA 22 (1927): the score interval; Newcombe, Statistics in Medicine 17 (1998), method 10, for a difference.
"""

from math import sqrt
from typing import Final

COVERAGE: Final = 0.95
Z: Final = 1.959964


def wilson(positive: int, total: int) -> tuple[float, float] | None:
    """Between which bounds a share lies; None of nothing."""
    if not total:
        return None
    share, z2 = positive / total, Z * Z
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z / (1 + z2 / total) * sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def difference(now: tuple[int, int], before: tuple[int, int]) -> tuple[float, float, float] | None:
    """The change of a share with its bounds, each as (positive, total); None where one is of nothing."""
    of_now, of_before = wilson(*now), wilson(*before)
    if of_now is None or of_before is None:
        return None
    p, q = now[0] / now[1], before[0] / before[1]
    change = p - q
    lower = change - sqrt((p - of_now[0]) ** 2 + (of_before[1] - q) ** 2)
    upper = change + sqrt((of_now[1] - p) ** 2 + (q - of_before[0]) ** 2)
    return change, lower, upper
