"""Three scripted months: does drift show, does the loop answer it, and does it keep still when nothing happens?

    python -m benchmarks.learning_months [--shared ../shared/data] [--seeds 3] [--window-seeds 6] [--part NAME]

A model of general weibo (weibo_emotion; a sentiment head on the frozen encoder of e5-small, which saw none of these
labels) meets 28 days of 100 documents: the same; stock forums, whose share rises to 85 % in two weeks (finfe,
stock_comments); an event that makes 85 % from one day to the next (smp2020_virus). Thirty answers a day come in, five
of them for a gold set. Compared are no loop, and runs by schedule, by number of labels, and by drift. Then windows
with a known shift say how often each measure is right, against always firing and never. All documents have the same
source, whose name would give the shift away.

Writes var/bench/learning_months.json and docs/images/learning-months.svg.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import mean
from typing import Any, get_args

import numpy as np
from sklearn.metrics import f1_score

from benchmarks.months.features import joined, load
from benchmarks.months.loop import Run, Trigger, live
from benchmarks.months.model import fit
from benchmarks.months.pictures import draw
from benchmarks.months.script import DAYS, MONTHS, Stream, stream
from benchmarks.months.topics import topics
from benchmarks.months.windows import HARMFUL_DROP, Verdicts, judged

TRIGGERS: tuple[Trigger, ...] = get_args(Trigger)
PARTS = ("months", "windows", "topics")
SMOOTH_DAYS = 3
LOST = 0.03  # macro-F1; less is no loss
FIRST_SHIFTED = {"stationary": 0, "gradual": 5, "sudden": 8}


def rolling(predictions: list[tuple[np.ndarray, np.ndarray]]) -> list[float]:
    """Macro-F1 over the documents of the last days, by day."""
    found = []
    for day in range(len(predictions)):
        part = predictions[max(0, day + 1 - SMOOTH_DAYS) : day + 1]
        truth, said = (np.concatenate(column) for column in zip(*part, strict=True))
        found.append(float(f1_score(truth, said, average="macro")))
    return found


def recovery_days(found: list[float], without: list[float], knowing: list[float], first: int) -> int | None:
    """Days from the first shifted one until half of what is lost without the loop is regained, for three days.

    None while it is not, and where nothing is lost.
    """
    is_back = [
        knowing[day] - without[day] > LOST and found[day] > (without[day] + knowing[day]) / 2 for day in range(DAYS)
    ]
    return next((day - first for day in range(first, DAYS - 2) if all(is_back[day : day + 3])), None)


def months(pools: dict[str, Any], seeds: int) -> dict[str, Any]:
    """By month and trigger, over the seeds."""
    found: dict[str, Any] = {}
    for month in MONTHS:
        lines: dict[str, list[dict[str, Any]]] = {}
        for seed in range(seeds):
            given = stream(month, pools, seed)
            first = fit(given.train, given.dev)
            knowing = rolling(_knowing(given))
            for trigger in TRIGGERS:
                started = time.perf_counter()
                run = live(given, trigger, seed, first=first)
                without = lines["never"][seed]["curve"] if trigger != "never" else knowing
                lines.setdefault(trigger, []).append(_line(month.name, run, without, knowing))
                print(
                    f"{month.name:11} {trigger:9} seed {seed}: macro-F1 {lines[trigger][-1]['last_week']:.3f} "
                    f"(knowing {mean(knowing[-7:]):.3f}), runs on days {run.retrains}, taken {run.promoted}, "
                    f"{run.labels} labels, {time.perf_counter() - started:.0f} s",
                    flush=True,
                )
                for reason in run.reasons if trigger == "drift" else ():
                    print(f"            {reason}")
        found[month.name] = lines
    return found


def _knowing(given: Stream) -> list[tuple[np.ndarray, np.ndarray]]:
    """Predictions of a model that was trained on the new domain, too."""
    head = fit(joined([given.train, given.unused]), given.dev)
    return [(day.rows.labels, head.scores(day.rows).argmax(axis=1)) for day in given.days]


def _line(month: str, run: Run, without: list[float], knowing: list[float]) -> dict[str, Any]:
    curve = rolling(run.predictions)
    return {
        "curve": [round(one, 4) for one in curve],
        "knowing": [round(one, 4) for one in knowing],
        "mean": mean(curve),
        "last_week": mean(curve[-7:]),
        "runs": run.retrains,
        "promoted": run.promoted,
        "labels": run.labels,
        "recovery_days": recovery_days(curve, without, knowing, FIRST_SHIFTED[month]),
        "checks": {
            day: {one.measure: (round(one.effect, 4), round(one.threshold, 4)) for one in figures}
            for day, figures in run.checks.items()
        },
    }


def detection(pools: dict[str, Any], seeds: int) -> dict[str, Any]:
    """False alarms, misses and the loss of each measure; errors of the estimates."""
    verdicts = [one for seed in range(seeds) for one in judged(pools, seed)]
    measures = sorted(verdicts[0].effects)
    fires = {measure: [one.effects[measure][0] > one.effects[measure][1] for one in verdicts] for measure in measures}
    fires["any of these"] = [any(fires[measure][n] for measure in measures) for n in range(len(verdicts))]
    fires["always"], fires["never"] = [True] * len(verdicts), [False] * len(verdicts)
    table = {name: _loss(verdicts, fired) for name, fired in fires.items()}
    by_window = {
        name: {
            measure: mean(fires[measure][n] for n, one in enumerate(verdicts) if one.name == name)
            for measure in fires
        }
        | {"true_drop": mean(one.true_drop for one in verdicts if one.name == name)}
        for name in dict.fromkeys(one.name for one in verdicts)
    }
    harm = {
        how: _harm(verdicts, [_says_harm(one, how) for one in verdicts]) for how in ("atc", "doc", "mean_score")
    } | {
        "always": _harm(verdicts, [True] * len(verdicts)),
        "never": _harm(verdicts, [False] * len(verdicts)),
    }
    errors = {
        how: mean(abs(one.estimated[how] - one.estimated["truth"]) for one in verdicts)
        for how in ("atc", "doc", "mean_score", "unchanged")
    }
    shares = {
        how: mean(one.share_errors[how] for one in verdicts if one.is_shifted and how in one.share_errors)
        for how in ("unchanged", "as predicted", "estimated")
    }
    only_shares = {
        how: mean(
            one.share_errors[how] for one in verdicts if one.name.startswith("only") and how in one.share_errors
        )
        for how in ("unchanged", "as predicted", "estimated")
    }
    return {
        "windows": len(verdicts),
        "stationary": sum(not one.is_shifted for one in verdicts),
        "harmful": sum(one.true_drop > HARMFUL_DROP for one in verdicts),
        "measures": table,
        "by_window": by_window,
        "harm": harm,
        "accuracy_error": errors,
        "share_error": shares,
        "share_error_only_shares": only_shares,
    }


def _loss(verdicts: list[Verdicts], fired: list[bool]) -> dict[str, float]:
    """Half the false alarm rate and half the miss rate: 0.5 for always and for never."""
    alarms = mean(fire for fire, one in zip(fired, verdicts, strict=True) if not one.is_shifted)
    misses = 1 - mean(fire for fire, one in zip(fired, verdicts, strict=True) if one.is_shifted)
    return {"false_alarms": alarms, "misses": misses, "loss": (alarms + misses) / 2}


def _harm(verdicts: list[Verdicts], said: list[bool]) -> dict[str, float]:
    """The same for saying that accuracy has fallen by more than `HARMFUL_DROP`."""
    true = [one.true_drop > HARMFUL_DROP for one in verdicts]
    alarms = mean(fire for fire, is_harm in zip(said, true, strict=True) if not is_harm)
    misses = 1 - mean(fire for fire, is_harm in zip(said, true, strict=True) if is_harm)
    return {"false_alarms": alarms, "misses": misses, "loss": (alarms + misses) / 2}


def _says_harm(one: Verdicts, how: str) -> bool:
    return one.estimated["unchanged"] - one.estimated[how] > HARMFUL_DROP


def show(found: dict[str, Any]) -> None:
    """Both tables on stdout."""
    for month, lines in found.get("months", {}).items():
        for trigger, runs in lines.items():
            recovered = [run["recovery_days"] for run in runs]
            print(
                f"{month:11} {trigger:9} mean {mean(run['mean'] for run in runs):.3f}  "
                f"last week {mean(run['last_week'] for run in runs):.3f}  "
                f"runs {mean(len(run['runs']) for run in runs):.1f}  "
                f"taken {mean(len(run['promoted']) for run in runs):.1f}  "
                f"labels {mean(run['labels'] for run in runs):.0f}  recovery {recovered}"
            )
    if "detection" in found:
        for part in ("measures", "harm"):
            for name, one in found["detection"][part].items():
                print(f"{part:9} {name:22}" + "  ".join(f"{key} {value:.3f}" for key, value in one.items()))
        for part in ("accuracy_error", "share_error", "share_error_only_shares"):
            print(part, {key: round(value, 4) for key, value in found["detection"][part].items()})
    if "topics" in found:
        print("topics", found["topics"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--window-seeds", type=int, default=6)
    parser.add_argument("--part", choices=PARTS, action="append", help="only this; the others' figures are kept")
    arguments = parser.parse_args()
    bench = Path("var/bench")
    out = bench / "learning_months.json"
    found: dict[str, Any] = json.loads(out.read_text()) if out.is_file() else {}
    pools = load(arguments.shared, bench)
    parts: list[str] = arguments.part or list(PARTS)
    if "topics" in parts:
        found["topics"] = topics(arguments.shared)
    if "windows" in parts:
        found["detection"] = detection(pools, arguments.window_seeds)
    if "months" in parts:
        found |= {"seeds": arguments.seeds, "months": months(pools, arguments.seeds)}
        draw(found["months"], Path("docs/images/learning-months.svg"))
    show(found)
    out.write_text(json.dumps(found, indent=1, default=float))


if __name__ == "__main__":
    main()
