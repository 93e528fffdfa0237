"""The models behind one clock's counts, read from SQL bucket by bucket and written back as marks for charts."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from alerts.detection.model_switches import SETTLING, USUAL, ModelSwitches, Overlap
from storage import model_switches
from storage.model_switches import Groups, SwitchRow, Totals


class ClockModels:
    """`ModelSwitches` with the counts of one run; made anew for each."""

    def __init__(
        self,
        connection: Connection,
        *,
        source: str | None,
        bucket: timedelta,
        windows: Sequence[int],
        state: dict[str, Any] | None,
        start: datetime,
        end: datetime,
    ) -> None:
        """Args:
        state: what `to_dict` gave at `start`, or None.
        start: of the first bucket of the run; `end` of the last one.
        """
        self._connection = connection
        self._source = source
        overlaps = {pair: Overlap(by_label) for pair, by_label in model_switches.overlaps(connection).items()}
        self.switches = ModelSwitches(windows, overlaps, state)
        self._totals: Totals = model_switches.totals_by_version(
            connection, source=source, bucket=bucket, start=start, end=end
        )
        first: dict[str, datetime] = {}
        for at in sorted(self._totals):
            for version in self._totals[at]:
                first.setdefault(version, at)
        is_only_one = len(first) == 1 and state is None
        self._groups = {
            version: model_switches.groups_of_version(
                connection,
                version,
                source=source,
                bucket=bucket,
                start=first[version],
                end=min(end, first[version] + SETTLING),
            )
            for version in (() if is_only_one else self.switches.needs_groups(first))
        }

        self._is_first = True

    @property
    def extra(self) -> float:
        """What every threshold is raised by."""
        return self.switches.extra()

    def factors(self, labels: Mapping[str, str]) -> list[float]:
        """See `ModelSwitches.factors`."""
        return self.switches.factors(labels)

    def advance(self, at: datetime) -> bool:
        """Take in one bucket; returns whether what series have to expect has changed, and for the first one true."""
        groups: dict[str, Groups] = {
            version: by_bucket[at] for version, by_bucket in self._groups.items() if at in by_bucket
        }
        is_changed = self.switches.advance(at, self._totals.get(at, {}), groups, self._usual) or self._is_first
        self._is_first = False
        return is_changed

    def to_dict(self) -> dict[str, Any]:
        """All that is known at the end of the last bucket."""
        return self.switches.to_dict()

    def note(self, clock: str) -> None:
        """Write the switches for charts and people."""
        model_switches.note_switches(
            self._connection,
            [SwitchRow(clock, s.at, s.old, s.new, s.ratio, s.basis) for s in self.switches.switches()],
        )

    def _usual(self, version: str, at: datetime) -> Groups:
        return model_switches.usual_groups(self._connection, version, source=self._source, start=at - USUAL, end=at)
