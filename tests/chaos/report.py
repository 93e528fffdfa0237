"""What a run leaves behind: a table for people, a JSON file for programs."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.chaos.run import Outcome


def summary(outcome: Outcome) -> dict[str, Any]:
    """The JSON of a run; `lost` to `seconds` are what acceptance asks for, the rest tells more."""
    verdict, plan = outcome.verdict, outcome.plan
    return {
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "holes": verdict.holes,
        "incidents_equal": verdict.incidents_equal,
        "dead_letters_ok": verdict.dead_letters_ok,
        "worst_standstill_seconds": round(outcome.worst_standstill_seconds, 1),
        "faults": sum(outcome.faults.values()),
        "documents": plan.documents,
        "seconds": round(outcome.seconds, 1),
        "is_clean": verdict.is_clean,
        "seed": plan.seed,
        "app": plan.app,
        "nodes": plan.nodes,
        "workers": plan.workers,
        "records": outcome.records,
        "poison": outcome.poison,
        "undone": outcome.undone,
        "count_differences": verdict.count_differences,
        "classified_missing": verdict.classified_missing,
        "incidents": verdict.incidents,
        "notifications": verdict.notifications,
        "notifications_ok": verdict.notifications_ok,
        "repeated_publishes": verdict.repeated_publishes,
        "repeated_dead_letters": verdict.repeated_dead_letters,
        "worst_standstill": outcome.worst_standstill,
        "recovery_seconds": {kind: round(seconds, 1) for kind, seconds in sorted(outcome.recovery_seconds.items())},
        "unrecovered": outcome.unrecovered,
        "peak_lag_records": outcome.peak_lag_records,
        "peak_megabytes": {name: round(peak) for name, peak in sorted(outcome.peak_megabytes.items())},
        "undisturbed_seconds": round(outcome.undisturbed_seconds, 1),
        "faults_by_kind": dict(sorted(outcome.faults.items())),
        "notes": verdict.notes,
        "schedule": [asdict(fault) for fault in outcome.schedule],
    }


def write(path: Path, body: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


ROWS = (
    ("documents", "documents"),
    ("records", "records produced"),
    ("faults", "faults"),
    ("seconds", "seconds"),
    ("lost", "lost"),
    ("doubled", "doubled"),
    ("undone", "undone: produced, never committed"),
    ("holes", "holes in the ledger"),
    ("count_differences", "minute counts unlike the rows"),
    ("classified_missing", "missing on the classified topic"),
    ("repeated_publishes", "repeats there, dropped by ce_id"),
    ("dead_letters_ok", "every poison dead-lettered, bytes untouched"),
    ("repeated_dead_letters", "repeats there, dropped by origin"),
    ("incidents", "incidents"),
    ("incidents_equal", "equal to the undisturbed run"),
    ("notifications_ok", "every notification delivered"),
    ("worst_standstill_seconds", "longest standstill of a partition, s"),
    ("peak_lag_records", "longest backlog, records"),
)
NOT_OF_THE_NAIVE = {"holes", "count_differences", "classified_missing", "repeated_publishes", "dead_letters_ok"} | {
    "repeated_dead_letters",
    "incidents",
    "incidents_equal",
    "notifications_ok",
}


def show(console: Console, bodies: Mapping[str, Mapping[str, Any]]) -> None:
    """One column for each agent that was run with this seed, ours and the naive ones beside each other."""
    table = Table(title="Chaos")
    table.add_column("")
    for name, body in bodies.items():
        table.add_column(f"{name}, seed {body['seed']}", justify="right")
    for key, title in ROWS:
        table.add_row(title, *(_cell(body, key, is_naive=name != "ours") for name, body in bodies.items()))
    console.print(table)
    for name, body in bodies.items():
        megabytes = ", ".join(f"{process} {peak} MB" for process, peak in body["peak_megabytes"].items())
        recovery = ", ".join(f"{kind} {seconds}" for kind, seconds in body["recovery_seconds"].items())
        console.print(f"{name}: peak memory {megabytes}\nslowest recovery by fault, s: {recovery}", highlight=False)
        for note in body["notes"]:
            console.print(f"{name}: {note}", markup=False, highlight=False)


def _cell(body: Mapping[str, Any], key: str, *, is_naive: bool) -> str:
    if is_naive and key in NOT_OF_THE_NAIVE:
        return "–"
    value = body[key]
    return {True: "yes", False: "[red]no[/]"}[value] if isinstance(value, bool) else str(value)
