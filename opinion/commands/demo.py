"""`opinion demo`: the whole system on a day of invented news, until its alert is delivered."""

import json
import os
import time
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from core.logs import configure_logs
from core.settings import Settings, load_settings
from opinion.demo.closing import show, summary
from opinion.demo.play import Outcome, environment, fresh_home, play
from opinion.demo.receiver import Receiver
from opinion.servers import say
from opinion.stack import Stack
from opinion.supervisor import STOPS, TICK_SECONDS, ignore, interrupt_on

SEED = 4


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the servers and the console running.")] = False,
    seed: Annotated[int, typer.Option(help="Another seed tells the day in other words.")] = SEED,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Replay a day of invented news and comments through the whole system, until its alert is delivered.

    Starts its own Kafka and PostgreSQL under `<home>/demo`, fresh each time; your own data are not touched.

    Example: opinion demo --keep
    """
    settings = load_settings()
    configure_logs("warning", settings.log_format)
    interrupt_on(*STOPS)
    try:
        with Receiver() as receiver:
            os.environ |= environment(settings, fresh_home(settings), receiver.url)
            _run(load_settings(), receiver, keep=keep, seed=seed, as_json=as_json)
    except KeyboardInterrupt:
        say("Stopped while starting.")


def _run(settings: Settings, receiver: Receiver, *, keep: bool, seed: int, as_json: bool) -> None:
    started = time.monotonic()
    say("Starting Kafka, PostgreSQL, a worker and the scheduler …")
    with Stack(settings, workers=1, has_web=keep) as stack:
        try:
            status = Console(stderr=True).status("sending a day of records", spinner="dots")
            with status:
                outcome = play(settings, stack, receiver, seed=seed, on_stage=status.update, started=started)
            if as_json:
                typer.echo(json.dumps(summary(outcome)))
            else:
                show(Console(), outcome, settings.zone, _next_steps(stack, outcome, settings.home, keep=keep))
            if keep:
                _keep(stack)
        except KeyboardInterrupt:
            ignore(*STOPS)  # the orderly stop is bounded; a second Ctrl-C would only break it
        say("Stopping the demo's servers …")


def _next_steps(stack: Stack, outcome: Outcome, home: Path, *, keep: bool) -> list[tuple[str, str]]:
    if keep:
        incident = outcome.incidents[0].incident.id
        here = os.path.relpath(home)
        return [
            (str(stack.console_url), "the console, with this day in it; no login, the day is invented"),
            (f"{stack.console_url}/incidents/{incident}", "this incident"),
            (
                f"OPINION_HOME={here} opinion db reader me",
                "a login for psql or pandas; try TABLE bi.incident",
            ),
            (f"OPINION_HOME={here} opinion export incident", "the same without psql"),
            ("Ctrl-C", "ends the demo"),
        ]
    return [
        ("opinion demo --keep", "the same, and leaves the console and the database running"),
        ("opinion up", "everything, for your own data; says how to log in"),
        ("opinion import FILE.jsonl", "your own documents, while that runs"),
        ("opinion --help", "everything else"),
    ]


def _keep(stack: Stack) -> NoReturn:
    while True:
        stack.tick()
        time.sleep(TICK_SECONDS)
