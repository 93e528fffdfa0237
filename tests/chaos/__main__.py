"""`make chaos`: servers, workers and schedulers under faults, and a counted verdict.

Example: python -m tests.chaos --seed 7 --faults 50 --documents 50000
"""

import json
import logging
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from core.logs import configure_logs
from tests.chaos import report
from tests.chaos.fleet import AGENTS
from tests.chaos.run import Harness, Plan

VAR = Path("var")


def main(
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 1,
    faults: Annotated[int, typer.Option(help="How many faults.", min=1)] = 20,
    documents: Annotated[int, typer.Option(help="Distinct documents.", min=500)] = 10_000,
    nodes: Annotated[int, typer.Option(help="Kafka nodes, 1 or 3; 0: by the seed, odd one, even three.")] = 0,
    workers: Annotated[int, typer.Option(help="Workers at the start; 0: by the seed, 1 to 3.")] = 0,
    agent: Annotated[
        Literal["ours", "naive", "one_by_one"], typer.Option(help="`ours`, or a naive one to see the harness fail.")
    ] = "ours",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Run the stream once undisturbed and once under faults; exit 1 when anything was lost, doubled or unequal.

    Example: python -m tests.chaos --seed 7 --faults 50 --documents 50000
    """
    configure_logs("warning", "console")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # it tells at length of the outages that we make
    stderr = Console(stderr=True, highlight=False)
    plan = Plan(
        seed=seed,
        faults=faults,
        documents=documents,
        nodes=nodes or (1 if seed % 2 else 3),
        workers=workers or 1 + seed % 3,
        app=AGENTS[agent],
    )
    folder = (VAR / "chaos" / f"{agent}-{seed}").resolve()
    outcome = Harness(plan, folder, (VAR / "jars").resolve(), lambda line: stderr.print(line, markup=False)).run()
    body = report.summary(outcome)
    files = {name: VAR / "bench" / f"chaos-{name}-{seed}.json" for name in AGENTS}
    files["ours"] = VAR / "bench" / f"chaos-{seed}.json"
    report.write(files[agent], body)
    bodies = {name: json.loads(path.read_text()) for name, path in files.items() if path.is_file()}
    report.show(Console(stderr=as_json), bodies)
    if as_json:
        print(json.dumps(body, ensure_ascii=False))  # noqa: T201
    sys.exit(0 if body["is_clean"] or plan.is_naive else 1)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(main)
    app()
