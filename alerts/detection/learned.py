"""What a detector has learned of one series, as JSON values and back; also from under other windows."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from alerts.detection.baselines import CountBaseline, ShareBaseline

FIRST_WINDOWS = (1, 3, 12, 48)  # of states that do not name theirs


class Learned(msgspec.Struct):
    """Everything a detector knows; `empty_run` counts the buckets without a document at the end of `recent`.

    Attributes:
        windows: in buckets, ascending; `counts` and the lists of `share` have one entry for each.
        recent: (negatives, documents) of the newest buckets.
    """

    windows: list[int]
    counts: list[CountBaseline]
    share: ShareBaseline
    recent: list[tuple[int, int]] = []
    seen_buckets: int = 0
    seen_documents: int = 0
    empty_run: int = 0

    @classmethod
    def nothing(cls, windows: Sequence[int]) -> "Learned":
        """Of a new series."""
        return cls(list(windows), [CountBaseline() for _ in windows], ShareBaseline.of(len(windows)))

    @classmethod
    def restored(cls, state: Mapping[str, Any], windows: Sequence[int]) -> "Learned":
        """What `to_dict` gave.

        Learned under other windows, each new one takes over from the nearest: levels are per bucket times length,
        hours of the day and scatter are about the same.
        """
        named = {"windows": FIRST_WINDOWS[: len(state["counts"])], **state}
        learned = msgspec.convert(named, cls)
        return learned if learned.windows == list(windows) else learned._under(windows)

    def _under(self, windows: Sequence[int]) -> "Learned":
        nearest = [min(range(len(self.windows)), key=lambda i: abs(self.windows[i] - window)) for window in windows]
        counts = []
        for window, index in zip(windows, nearest, strict=True):
            one = self.counts[index]
            counts.append(
                replace(
                    one,
                    level=one.level * window / self.windows[index],
                    season=list(one.season),
                    visits=list(one.visits),
                )
            )
        share = replace(
            self.share,
            squares=[self.share.squares[index] for index in nearest],
            pairs=[self.share.pairs[index] for index in nearest],
        )
        return replace(self, windows=list(windows), counts=counts, share=share)

    def without_negatives(self) -> "Learned":
        """Of a series with the same documents and no negative one among them."""
        share = ShareBaseline.of(len(self.windows))
        share.others = self.share.negatives + self.share.others
        share.factors = list(self.share.factors)
        share.active, share.buckets = self.share.active, self.share.buckets
        return replace(
            self,
            counts=[CountBaseline(seen=one.seen, factor=one.factor) for one in self.counts],
            share=share,
            recent=[(0, total) for _, total in self.recent],
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        state: dict[str, Any] = msgspec.to_builtins(self)
        return state
