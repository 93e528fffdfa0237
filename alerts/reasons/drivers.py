"""What an excess is made of: within one dimension the parts and the rest add up to it, to the hundredth. Pure.

The detector expects so many voices of the whole series, not of its parts. A part's usual is therefore its share in
the voices of the comparison stretch, scaled to what the detector expects; its excess is what it has beyond that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

MOST_PARTS: Final = 5
LEAST_EXCESS: Final = 1.0  # one document more than usual explains nothing


@dataclass(frozen=True, slots=True)
class Part:
    """One value of a dimension.

    Attributes:
        negative: what the rule counts of it in the window: its negative voices, or all its voices.
        before: the same of the comparison stretch.
        more: what else is told of it, JSON values.
    """

    name: str
    negative: int
    before: float
    more: dict[str, Any]


def decompose(
    parts: Sequence[Part],
    *,
    observed: int,
    expected: float,
    before: float,
    most: int = MOST_PARTS,
    is_ranked: bool = False,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The largest drivers, and all the rest together; JSON values.

    Args:
        observed, expected: of the whole series in the window.
        before: of the whole series in the comparison stretch; 0: nothing is known of before, and the rest
            carries all that was expected.
        is_ranked: tell of the first parts, whatever they explain.

    Returns:
        Drivers with `name`, `negative`, `usual`, `excess` and `share` (of the whole excess), largest excess first;
        and the rest with the same figures. Where a document may belong to several parts (watchlists) or a part is
        estimated, the rest may be below zero.
    """
    hundredths = _hundredths(expected)
    whole = 100 * observed - hundredths
    scored = [
        (100 * part.negative - usual, part, usual)
        for part in parts
        for usual in (_hundredths(expected * part.before / before) if before else 0,)
    ]
    if not is_ranked:
        large = [one for one in scored if one[0] >= 100 * LEAST_EXCESS]
        scored = sorted(large, key=lambda one: (-one[0], one[1].name))
    chosen = scored[:most]
    drivers = [{"name": part.name, **_figures(part.negative, usual, whole), **part.more} for _, part, usual in chosen]
    negative = observed - sum(part.negative for _, part, _ in chosen)
    usual = hundredths - sum(usual for _, _, usual in chosen)
    return drivers, {"parts": len(parts) - len(chosen), **_figures(negative, usual, whole)}


def _figures(negative: int, usual: int, whole: int) -> dict[str, Any]:
    excess = 100 * negative - usual
    return {
        "negative": negative,
        "usual": usual / 100,
        "excess": excess / 100,
        "share": round(excess / whole, 4) if whole > 0 else None,
    }


def _hundredths(value: float) -> int:
    return round(value * 100)
