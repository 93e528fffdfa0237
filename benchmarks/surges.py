"""Real streams with known surges, through `opinion replay`: what the classifier costs.

    python -m benchmarks.surges [--data ../shared/data/stream] [--labels-only]

`oracle_spikes.json` names the hours or days in which the labels themselves show a surge. Each stream is replayed with
its labels and with the starter model. A surge is found by an incident detected from its start to one step after its
end; neighbouring surges are one. Incidents elsewhere are false. Writes var/bench/surges.json.
"""

import argparse
import gzip
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from statistics import median
from typing import Any

from core.settings import load_settings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "stream"
NEGATIVE = {"weibo_jiangping_2024": "label=doubt"}  # it has no sentiment, only stance
STEPS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}


@dataclass
class Surge:
    """Neighbouring hours or days of the oracle."""

    start: datetime
    end: datetime
    grace: timedelta


def replayed(file: Path, *options: str) -> dict[str, Any]:
    """What `opinion replay --json` says of a file."""
    command = [sys.executable, "-m", "opinion.cli", "replay", str(file), "--json", *options]
    result: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return result


def surges(spikes: Sequence[dict[str, Any]], zone: tzinfo) -> list[Surge]:
    """The oracle's entries, neighbours joined; its times are local."""
    found: list[Surge] = []
    for spike in sorted(spikes, key=lambda one: str(one["start"])):
        step = STEPS[spike["step"]]
        start = datetime.fromisoformat(spike["start"]).replace(tzinfo=zone)
        if found and start <= found[-1].end:
            found[-1].end = start + step
        else:
            found.append(Surge(start, start + step, step))
    return found


def judged(incidents: Sequence[dict[str, Any]], known: Sequence[Surge]) -> dict[str, Any]:
    """Surges found, their delay, and incidents that are of none."""
    detected = sorted(datetime.fromisoformat(one["detected_at"]) for one in incidents)
    delays = []
    for surge in known:
        hit = next((at for at in detected if surge.start < at <= surge.end + surge.grace), None)
        if hit is not None:
            delays.append((hit - surge.start) / timedelta(minutes=1))
    false = sum(not any(s.start < at <= s.end + s.grace for s in known) for at in detected)
    return {
        "surges": len(known),
        "found": len(delays),
        "delay_minutes": median(delays) if delays else None,
        "incidents": len(detected),
        "false": false,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--labels-only", action="store_true", help="do not classify")
    arguments = parser.parse_args()
    data: Path = arguments.data
    if not data.is_dir():
        sys.exit(f"no streams at {data}; name them with --data")
    oracle = json.loads((data / "oracle_spikes.json").read_text())["streams"]
    found: dict[str, Any] = {}
    print(f"{'stream':24}{'negatives by':>14}{'surges':>8}{'found':>8}{'delay, min':>12}{'false':>8}")
    for name, stream in oracle.items():
        file = data / stream["file"]
        ways = {"labels": ["--use-labels", "--negative", NEGATIVE.get(name, "sentiment=negative")], "starter": []}
        for way, options in ways.items():
            if way == "starter" and arguments.labels_only:
                continue
            report = replayed(file, *options)
            known = surges(stream["all"], zone_of(file))
            found[f"{name}, {way}"] = one = judged(report["incidents"], known)
            delay = "-" if one["delay_minutes"] is None else f"{one['delay_minutes']:.0f}"
            print(f"{name:24}{way:>14}{one['surges']:>8}{one['found']:>8}{delay:>12}{one['false']:>8}", flush=True)
    out = Path("var/bench/surges.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1))


def zone_of(file: Path) -> tzinfo:
    """The offset that the stream's own times carry; dates are of the time zone in the settings."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return datetime.fromisoformat(json.loads(next(lines))["created_at"]).tzinfo or load_settings().zone


if __name__ == "__main__":
    main()
