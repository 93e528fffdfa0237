"""Faust's command line with faults on request: `python -m tests.support.faulty_app -A app worker -l warn`.

A fault is on while a file of its name is in the folder that `FAULTS` names; `<name>.reached` tells that it took
hold. So a test decides to the record, and not by luck, where a worker stands when the next thing happens to it.
"""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import faust
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import RequestTimedOutError
from aiokafka.protocol.produce import ProduceRequest
from faust.cli.faust import cli
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from benchmarks.naive import parts
from models.inference import Classifier
from streams import first_run
from streams.store import StoreStep
from tests.support.waiting import POLL_SECONDS, wait_for

Fault = Literal["classify", "stored", "rebalance", "answer", "unhealed"]
"""Where it takes hold:

classify: a batch waits before it is classified; stored: after its rows are committed.
rebalance: a fetch under way waits for records, and a rebalance in which it was under way ends after it.
answer: the broker's answer to one produce request is lost.
unhealed: the process starts without `streams.first_run.heal_first_run`.
"""

LONG_POLL_SECONDS = 60.0

Result = TypeVar("Result")


class Faults:
    """The switches of one worker, as the test and the worker see them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        return {"FAULTS": str(self._folder)}

    def hold(self, fault: Fault) -> None:
        """Switch it on."""
        (self._folder / f"{fault}.reached").unlink(missing_ok=True)
        (self._folder / fault).touch()

    def release(self, fault: Fault) -> None:
        """Switch it off; whoever waits goes on."""
        (self._folder / fault).unlink(missing_ok=True)

    def is_on(self, fault: Fault) -> bool:
        return (self._folder / fault).exists()

    def is_reached(self, fault: Fault) -> bool:
        """Whether it took hold since it was switched on."""
        return (self._folder / f"{fault}.reached").exists()

    def wait_until_reached(self, fault: Fault, timeout: float = 60) -> None:
        wait_for(lambda: self.is_reached(fault), timeout, f"the worker to meet the fault {fault!r}")

    def meets(self, fault: Fault) -> bool:
        """Whether it is on; asked by the worker where it would take hold."""
        if not self.is_on(fault):
            return False
        (self._folder / f"{fault}.reached").touch()
        return True


def install(faults: Faults) -> None:
    """Put the faults into the classes that both the naive agents and our worker are made of."""
    Classifier.classify = _waits_before(Classifier.classify, faults)  # type: ignore[method-assign]
    StoreStep.run = _waits_after(StoreStep.run, faults)  # type: ignore[method-assign]
    parts.insert = _waits_after(parts.insert, faults)
    AIOKafkaClient.send = _loses_answers(AIOKafkaClient.send, faults)
    if faults.meets("unhealed"):
        first_run.heal_first_run = lambda: None

    async def wait_in_rebalance(*_: Any, **__: Any) -> None:
        while faults.meets("rebalance"):  # noqa: ASYNC110  # the switch is a file
            await asyncio.sleep(POLL_SECONDS)

    faust.App.on_rebalance_complete.connect(wait_in_rebalance)
    AIOKafkaConsumerThread.getmany = _outlasts_rebalance(AIOKafkaConsumerThread.getmany, faults)


def _waits_before(work: Callable[..., Result], faults: Faults) -> Callable[..., Result]:
    def wait_then_work(*arguments: Any) -> Result:
        while faults.meets("classify"):
            time.sleep(POLL_SECONDS)
        return work(*arguments)

    return wait_then_work


def _waits_after(work: Callable[..., Result], faults: Faults) -> Callable[..., Result]:
    def work_then_wait(*arguments: Any) -> Result:
        result = work(*arguments)
        while faults.meets("stored"):
            time.sleep(POLL_SECONDS)
        return result

    return work_then_wait


def _loses_answers(send: Callable[..., Any], faults: Faults) -> Callable[..., Any]:
    """The broker has appended the records, but the producer never hears of it, as when a leader dies just then."""

    async def send_without_answer(self: AIOKafkaClient, node: Any, request: Any, **options: Any) -> Any:
        answer = await send(self, node, request, **options)
        if isinstance(request, ProduceRequest) and faults.meets("answer"):
            faults.release("answer")
            raise RequestTimedOutError
        return answer

    return send_without_answer


def _outlasts_rebalance(getmany: Callable[..., Any], faults: Faults) -> Callable[..., Any]:
    """Faust fetches for a second at a time. A rebalance within that second meets the fetch still under way; what it
    brings is dropped. The longer fetch makes that certain."""

    async def getmany_for_long(thread: AIOKafkaConsumerThread, partitions: Any, seconds: float) -> Any:
        if not faults.meets("rebalance"):
            return await getmany(thread, partitions, seconds)
        records = await getmany(thread, partitions, LONG_POLL_SECONDS)
        if records and not thread.consumer.flow_active:
            faults.release("rebalance")
        return records

    return getmany_for_long


if __name__ == "__main__":
    install(Faults(Path(os.environ["FAULTS"])))
    cli()
