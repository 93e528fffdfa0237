"""What each fault of the schedule does, to real processes and servers, by their process ids."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from core.errors import CheckpointError
from core.records import ModelAnnouncement
from opinion.promotions import announce_pending, promote
from storage.local import EmbeddedPostgres
from streams import topics
from streams.announcements import announce
from tests.chaos.faulty_worker import Switch, write_switch
from tests.chaos.fleet import Fleet, Process
from tests.chaos.observer import Observer
from tests.chaos.schedule import Fault
from tests.support.kafka_cluster import KafkaCluster
from tests.support.waiting import wait_for

MOST_WORKERS = 3
SMALL_DISK_MEGABYTES = 8  # the starter's weights are 20


class Monkey:
    """Applies faults one after the other. `pause` waits while the supervisors go on working."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        kafka: KafkaCluster,
        postgres: EmbeddedPostgres,
        observer: Observer,
        engine: Engine,
        topic_prefix: str,
        models: list[Path],
        pause: Callable[[float], None],
    ) -> None:
        """Args:
        models: checkpoint folders with equal weights and different versions, to swap between.
        """
        self._fleet = fleet
        self._kafka = kafka
        self._postgres = postgres
        self._observer = observer
        self._engine = engine
        self._model_topic = topic_prefix + topics.MODEL
        self._models = models
        self._pause = pause
        self._switches = 0
        # Servers end with the thread that started them, so all are started from this one, which lasts.
        self._servers = ThreadPoolExecutor(1, thread_name_prefix="servers")

    def apply(self, fault: Fault) -> None:
        """Wait, do it, take it back; returns when the fault is over."""
        self._pause(fault.after)
        getattr(self, fault.kind)(fault)
        self._observer.fault_over(fault.kind)

    def close(self) -> None:
        """Call when the servers are no longer needed: those started here end."""
        self._servers.shutdown()

    # -- workers

    def worker_kill(self, fault: Fault) -> None:
        self._worker(fault).signal(signal.SIGKILL)

    def worker_term(self, fault: Fault) -> None:
        self._worker(fault).signal(signal.SIGTERM)

    def worker_stop(self, fault: Fault) -> None:
        worker = self._worker(fault)
        worker.signal(signal.SIGSTOP)
        self._last(fault)
        worker.signal(signal.SIGCONT)

    def worker_add(self, fault: Fault) -> None:
        if len(self._fleet.workers) < MOST_WORKERS:
            self._fleet.add_worker()
        else:
            self.worker_remove(fault)

    def worker_remove(self, fault: Fault) -> None:
        if len(self._fleet.workers) > 1:
            self._fleet.remove_worker(self._worker(fault))
        else:
            self._fleet.add_worker()

    def all_workers_kill(self, fault: Fault) -> None:
        for worker in self._fleet.workers:
            worker.signal(signal.SIGKILL)

    def slow_batches(self, fault: Fault) -> None:
        self._switch(passes=5, slow_seconds=2.0)

    def out_of_memory(self, fault: Fault) -> None:
        self._switch(passes=2, error="out_of_memory")

    def raising_batch(self, fault: Fault) -> None:
        self._switch(passes=2, error="raise")

    # -- schedulers

    def scheduler_kill(self, fault: Fault) -> None:
        self._scheduler(fault).signal(signal.SIGKILL)

    def scheduler_term(self, fault: Fault) -> None:
        self._scheduler(fault).signal(signal.SIGTERM)

    def scheduler_stop(self, fault: Fault) -> None:
        scheduler = self._scheduler(fault)
        scheduler.signal(signal.SIGSTOP)
        self._last(fault)
        scheduler.signal(signal.SIGCONT)

    # -- servers

    def postgres_stop(self, fault: Fault) -> None:
        self._observer.server_away("postgres")
        self._elsewhere(self._postgres.stop)
        self._last(fault)
        self._elsewhere(self._postgres.start)
        self._observer.server_back("postgres")

    def postgres_kill(self, fault: Fault) -> None:
        if not self._postgres.is_running:
            return
        self._observer.server_away("postgres")
        self._elsewhere(self._kill_and_start_postgres)
        self._observer.server_back("postgres")

    def broker_restart(self, fault: Fault) -> None:
        self._bounce([self._node(fault)], signal.SIGTERM, fault)

    def broker_kill(self, fault: Fault) -> None:
        self._bounce([self._node(fault)], signal.SIGKILL, fault)

    def rolling_restart(self, fault: Fault) -> None:
        for node in sorted(self._kafka.pids):
            self._bounce([node], signal.SIGTERM, fault)
            self._pause(2.0)  # as an operator waits until the node is in sync again

    def two_of_three_kill(self, fault: Fault) -> None:
        first = self._node(fault)
        others = [node for node in sorted(self._kafka.pids) if node != first]
        self._bounce([first, others[0]], signal.SIGKILL, fault)

    # -- models

    def model_swap(self, fault: Fault) -> None:
        """Another version with the same weights, so that the opinions stay comparable."""
        self._promote(self._models[fault.target % len(self._models)])

    def disk_full(self, fault: Fault) -> None:
        """A full disk cut a model folder short. It cannot become champion here, and workers that are told of it
        from elsewhere keep the model they have."""
        cut = self._fleet.switch.with_name(f"cut-short-{fault.target}-{self._switches}")
        copy_to_full_disk(self._models[0], cut)
        try:
            self._promote(cut)
        except CheckpointError:
            told = ModelAnnouncement(version=cut.name, path=str(cut), promoted_at=datetime.now(UTC))
            announce(self._kafka.bootstrap, self._model_topic, told)
        else:
            raise AssertionError(f"{cut} was promoted though its weights are cut short")

    # -- means

    def _worker(self, fault: Fault) -> Process:
        return self._fleet.workers[fault.target % len(self._fleet.workers)]

    def _scheduler(self, fault: Fault) -> Process:
        return self._fleet.schedulers[fault.target % len(self._fleet.schedulers)]

    def _node(self, fault: Fault) -> int:
        living = sorted(self._kafka.pids)
        return living[fault.target % len(living)]

    def _last(self, fault: Fault) -> None:
        """For as long as the fault lasts, with another one in its middle if it says so."""
        if fault.inside is None:
            self._pause(fault.lasts)
            return
        self._pause(fault.lasts / 2)
        getattr(self, fault.inside)(Fault(fault.inside, 0.0, fault.target + 1))
        self._observer.fault_over(fault.inside)
        self._pause(fault.lasts / 2)

    def _bounce(self, nodes: list[int], number: signal.Signals, fault: Fault) -> None:
        """Take brokers down and start them again. One of three is no outage: that is what replicas are for."""
        is_outage = len(self._kafka.pids) - len(nodes) < 2
        if is_outage:
            self._observer.server_away("kafka")
        for node in nodes:
            self._kafka.signal(node, number)
        for node in nodes:
            self._elsewhere(lambda node=node: self._kafka.wait_dead(node))
        self._last(fault)
        self._elsewhere(lambda: self._kafka.launch(*nodes))
        for node in nodes:
            self._elsewhere(lambda node=node: self._kafka.wait_ready(node))
        if is_outage:
            self._observer.server_back("kafka")

    def _elsewhere(self, work: Callable[[], object]) -> None:
        """In the thread of the servers, while the supervisors of the processes go on here."""
        doing = self._servers.submit(work)
        while not doing.done():
            self._pause(0.1)
        doing.result()

    def _kill_and_start_postgres(self) -> None:
        assert self._postgres.pid
        os.kill(self._postgres.pid, signal.SIGKILL)
        wait_for(lambda: not self._postgres.is_running, 10, "the end of PostgreSQL")
        self._postgres.start()

    def _switch(self, **what: object) -> None:
        self._switches += 1
        write_switch(self._fleet.switch, Switch(self._switches, **what))  # type: ignore[arg-type]

    def _promote(self, folder: Path) -> None:
        promote(self._engine, str(folder), reason="chaos", by="chaos")
        announce_pending(self._engine, self._kafka.bootstrap, self._model_topic)


def copy_to_full_disk(checkpoint: Path, target: Path) -> None:
    """What is left of a copy onto a disk that is too small: small files whole, the weights cut short.

    Where mounting is allowed the disk is a real one of 8 MB; elsewhere the weights are cut to that size.
    """
    disk = target.with_name(target.name + ".disk")
    disk.mkdir(parents=True, exist_ok=True)
    size = f"size={SMALL_DISK_MEGABYTES}m"
    is_mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", disk], capture_output=True).returncode
    try:
        for path in sorted(checkpoint.iterdir(), key=lambda path: path.stat().st_size):
            try:
                shutil.copy(path, disk / path.name)
            except OSError:  # the disk is full: what a careless copy leaves behind
                break
            if is_mounted != 0 and path.stat().st_size > SMALL_DISK_MEGABYTES * 1_000_000:
                with (disk / path.name).open("r+b") as file:
                    file.truncate(SMALL_DISK_MEGABYTES * 1_000_000)
        shutil.copytree(disk, target)
    finally:
        if is_mounted == 0:
            subprocess.run(["umount", disk], check=True)
