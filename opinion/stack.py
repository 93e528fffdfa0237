"""The whole product on one machine: servers, workers, scheduler and console under one supervisor."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import msgspec
from filelock import FileLock

from alerts.rulebook.entries import read_rules
from core import children
from core.settings import Settings
from core.watchlist_file import read_watchlists
from core.watchlists import Watchlist
from opinion.first_admin import make_first_admin
from opinion.servers import (
    Addresses,
    embedded_kafka,
    embedded_postgres,
    require_kafka,
    require_postgres,
    say,
    upgrade_schema,
)
from opinion.supervisor import TICK_SECONDS, Program, Service, Supervisor
from storage.engine import connect
from streams import topics
from streams.watching import sync_file

PROBE_SECONDS = 1.0
LEFTOVER_GRACE_SECONDS = 10.0


class StackState(msgspec.Struct, frozen=True):
    """`run/state.json`: what other commands and people may want to know of a stack that is up."""

    owner: children.Identity
    kafka_bootstrap: str
    database_url: str
    console_url: str | None
    logs: str


def running_stack(home: Path) -> StackState | None:
    """The stack that another living process keeps up under `home`."""
    state = children.read_state(home / "run" / "state.json", StackState)
    return state if state and state.owner.process() else None


@dataclass(frozen=True)
class Role:
    """One program of the stack.

    Attributes:
        name: also the name of its log.
        command: of `opinion`.
        probes: where `/readyz` answers; None when running is all that can be asked.
    """

    name: str
    command: str
    env: Mapping[str, str]
    probes: str | None = None


class Stack:
    """Start it, `tick` a few times a second, stop it; all from the main thread."""

    def __init__(self, settings: Settings, *, workers: int = 1, has_web: bool = True) -> None:
        self._settings = settings
        self._workers = workers
        self._has_web = has_web
        self._home = settings.home.resolve()
        self._state_path = self._home / "run" / "state.json"
        self._lock: FileLock | None = None
        self._roles: list[Role] = []
        self._programs: dict[str, Program] = {}
        self._supervisor = Supervisor([])
        self._http = httpx.Client(timeout=PROBE_SECONDS, trust_env=False)  # costly to make, so one for all probes
        self.addresses = Addresses()
        self.console_url: str | None = None
        self._has_first_admin = False
        self.logs = self._home / "logs"

    def start(self) -> None:
        """Start servers, bring schema and topics up to date, then start the programs; does not wait for these.

        Raises:
            ConfigError: the watchlist or rules file cannot be used, or people own a watchlist of such a name in SQL.
            DependencyNotReadyError: a server cannot be reached or started, or the stack of this home is up already.
        """
        # A worker or scheduler would stop for a bad file, again and again.
        entries = read_watchlists(self._settings.watchlists) if self._settings.watchlists else []
        if self._settings.detect.rules_file:
            read_rules(self._settings.detect.rules_file)
        run = self._home / "run"
        run.mkdir(parents=True, exist_ok=True)
        self._lock = children.claim(run, "`opinion up`")
        servers = self._start_servers()
        upgrade_schema(self._settings, self.addresses.database_url)
        self._sync_watchlists(entries)
        self._let_somebody_in()
        topics.apply(self.addresses.kafka_bootstrap, self._settings.kafka)
        leftovers = children.find(Path(sys.executable).name, self._marker)
        children.end(leftovers, grace_seconds=LEFTOVER_GRACE_SECONDS)
        workers, scheduler, web = self._plan()
        self._roles = [*workers, *scheduler, *web]
        self._programs = {role.name: self._program(role) for role in self._roles}
        stages = [[self._programs[role.name] for role in stage] for stage in (workers, scheduler, web)]
        self._supervisor = Supervisor([servers, *stages])
        self._supervisor.start()
        children.write_state(
            self._state_path,
            StackState(
                children.Identity.of(os.getpid()),
                self.addresses.kafka_bootstrap,
                self.addresses.database_url,
                self.console_url,
                str(self.logs),
            ),
        )

    def tick(self) -> None:
        """Restart what has ended."""
        self._supervisor.tick()

    def stop(self) -> None:
        """Stop console, scheduler, workers and servers, in this order."""
        if self._lock:
            self._state_path.unlink(missing_ok=True)
            self._supervisor.stop()
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.stop()

    def not_ready(self) -> dict[str, str]:
        """The programs that are not ready, with the reason. Blocks for at most a second each."""
        reasons = {role.name: self._reason(role) for role in self._roles}
        return {name: reason for name, reason in reasons.items() if reason}

    def wait_until_ready(self, seconds: float, each_tick: Callable[[], None] = lambda: None) -> dict[str, str]:
        """Tick until every program is ready; returns what is not when the time is up."""
        deadline = time.monotonic() + seconds
        while (missing := self.not_ready()) and time.monotonic() < deadline:
            self.tick()
            each_tick()
            time.sleep(TICK_SECONDS)
        return missing

    def log_paths(self) -> dict[str, Path]:
        """Where each part writes."""
        return {name: self.logs / f"{name}.log" for name in ("postgres", "kafka", *self._programs)}

    @property
    def how_to_get_in(self) -> str:
        """What to do at the console's login."""
        if self._settings.web.access == "open":
            return "no need: whoever reaches the console may do everything (web.access is open)"
        if self._has_first_admin:
            return "as admin, with the one-time password above"
        return "a lost password: opinion people password NAME"

    @property
    def _marker(self) -> str:
        """An argument that Python ignores and by which programs of this home are known after a crash."""
        return f"-Xopinion={self._home}"

    def _start_servers(self) -> list[Service]:
        """Reach the configured servers or start ours; the supervisor knows ours at once, so that `stop` does."""
        settings, servers = self._settings, list[Service]()
        self._supervisor = Supervisor([servers])
        if settings.database_url:
            database = require_postgres(settings.database_url.get_secret_value())
        else:
            postgres = embedded_postgres(settings)
            servers.append(postgres)
            database = postgres.start()
        if settings.kafka_bootstrap:
            bootstrap = require_kafka(settings.kafka_bootstrap)
        else:
            kafka = embedded_kafka(settings)
            servers.append(kafka)
            bootstrap = kafka.start()
        self.addresses = Addresses(bootstrap, database)
        return servers

    def _sync_watchlists(self, entries: list[Watchlist]) -> None:
        engine = connect(self.addresses.database_url, pool_size=1)
        try:
            sync_file(engine, self._settings.watchlists, entries)
        finally:
            engine.dispose()

    def _let_somebody_in(self) -> None:
        """Make the first account here: what the console itself says goes into its log."""
        if not self._has_web or self._settings.web.access == "open":
            return
        engine = connect(self.addresses.database_url, pool_size=1)
        try:
            self._has_first_admin = make_first_admin(engine)
        finally:
            engine.dispose()

    def _plan(self) -> tuple[list[Role], list[Role], list[Role]]:
        """Workers, scheduler and console, each with ports of its own."""
        settings = self._settings
        env = {
            "OPINION_HOME": str(self._home),
            "OPINION_KAFKA_BOOTSTRAP": self.addresses.kafka_bootstrap,
            "OPINION_DATABASE_URL": self.addresses.database_url,
        }
        if self._has_web:
            port = children.free_port(settings.web.port or None)
            if settings.web.port not in (0, port):
                say(f"Port {settings.web.port} is taken; the console listens on {port}.")
            self.console_url = _url(settings.web.host, port)
            env["OPINION_WEB__PORT"] = str(port)
            if "console_url" not in settings.alerts.model_fields_set:
                env["OPINION_ALERTS__CONSOLE_URL"] = self.console_url
        if self._workers > 1 and not settings.models.threads:
            env["OPINION_MODELS__THREADS"] = str(max(1, (os.cpu_count() or 1) // self._workers))
        host = settings.worker.probes_host
        workers = [_probed(f"worker-{number}", "worker", host, env) for number in range(1, self._workers + 1)]
        scheduler = [_probed("scheduler", "scheduler", settings.scheduler.probes_host, env)]
        web = [Role("web", "web", env, self.console_url)] if self._has_web else []
        return workers, scheduler, web

    def _program(self, role: Role) -> Program:
        # -P: a folder named `core` or `models` in the current directory must not hide ours.
        argv = [sys.executable, "-P", self._marker, "-m", "opinion.cli", role.command]
        return Program(role.name, argv, log_path=self.logs / f"{role.name}.log", env={**os.environ, **role.env})

    def _reason(self, role: Role) -> str | None:
        """Why the role is not ready, or None."""
        if not self._programs[role.name].is_running:
            return f"it ended; see {self._programs[role.name].log_path}"
        if role.probes is None:
            return None
        try:
            answer = self._http.get(f"{role.probes}/readyz")
        except httpx.HTTPError:
            return "it does not answer yet"
        return None if answer.is_success else "; ".join(_reasons(answer)) or f"it answers {answer.status_code}"


def _probed(name: str, command: str, host: str, env: Mapping[str, str]) -> Role:
    """A role whose probes get a port that we choose, so that we know where to ask."""
    port = children.free_port()
    return Role(name, command, {**env, f"OPINION_{command.upper()}__PROBES_PORT": str(port)}, _url(host, port))


def _url(host: str, port: int) -> str:
    """Where a server that listens on `host` is reached from this machine."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104  # every interface, so loopback too
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _reasons(answer: httpx.Response) -> list[str]:
    """The sentences of a `/readyz` that says no."""
    try:
        return [str(reason) for reason in answer.json().get("reasons", {}).values()]
    except (ValueError, AttributeError):
        return []
