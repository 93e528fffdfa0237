"""`opinion up`: everything on this machine, supervised."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import make_url

from core.logs import configure_logs
from core.settings import load_settings
from opinion.servers import say
from opinion.stack import Stack
from opinion.supervisor import STOPS, TICK_SECONDS, ignore, interrupt_on

READY_SECONDS = 180.0  # a worker loads its model first: 6 s, or minutes where many processes share few cores


def up(
    workers: Annotated[int, typer.Option(help="Worker processes.", min=0, max=64)] = 1,
    web: Annotated[bool, typer.Option("--web/--no-web", help="Serve the console.")] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every part's log here, by name.")] = False,
) -> None:
    """Run the servers, workers, scheduler and console, and restart what ends. Ctrl-C stops it all.

    Example: opinion up --workers 2
    """
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)
    interrupt_on(*STOPS)
    say("Starting the servers …")
    try:
        with Stack(settings, workers=workers, has_web=web) as stack:
            try:
                _keep_up(stack, LogFollower(stack.log_paths() if verbose else {}))
            except KeyboardInterrupt:
                ignore(*STOPS)  # the orderly stop is bounded; a second Ctrl-C would only break it
                say("Stopping: console, scheduler, workers, servers …")
    except KeyboardInterrupt:
        say("Stopped while starting.")


def _keep_up(stack: Stack, follower: "LogFollower") -> NoReturn:
    say("Waiting for workers, scheduler and console …")
    missing = stack.wait_until_ready(READY_SECONDS, follower.show)
    _show_addresses(stack, missing)
    while True:
        stack.tick()
        follower.show()
        time.sleep(TICK_SECONDS)


class LogFollower:
    """Shows what is added to log files from now on, each line behind the name of its part."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths
        self._seen = {name: _size(path) for name, path in paths.items()}
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)

    def show(self) -> None:
        """Print the whole lines added since the last call."""
        for name, path in self._paths.items():
            if _size(path) < self._seen[name]:  # moved aside at a restart
                self._seen[name] = 0
            if _size(path) == self._seen[name]:
                continue
            with path.open("rb") as log:
                log.seek(self._seen[name])
                added = log.read()
            whole = added[: added.rfind(b"\n") + 1]
            self._seen[name] += len(whole)
            for line in whole.decode("utf-8", "replace").splitlines():
                self._console.print(f"{name:>10} | {_printable(line)}", markup=False)


def _show_addresses(stack: Stack, missing: Mapping[str, str]) -> None:
    database = make_url(stack.addresses.database_url).render_as_string(hide_password=True)
    table = Table(title="Opinion is up" if not missing else "Opinion is up, in part", show_header=False)
    if stack.console_url:
        table.add_row("console", stack.console_url)
        table.add_row("log in", stack.how_to_get_in)
    table.add_row("Kafka", stack.addresses.kafka_bootstrap)
    table.add_row("database", database)
    table.add_row("logs", str(stack.logs))
    for name, reason in missing.items():
        table.add_row(name, reason, style="yellow")
    Console(soft_wrap=True).print(table)
    say("Ctrl-C stops everything; data stay. In another terminal: opinion import FILE, opinion doctor")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _printable(line: str) -> str:
    """Without control characters: a log may quote crawled text, which must not reach the terminal raw."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
