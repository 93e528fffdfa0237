"""A Faust worker whose classifier can be made to fail: `python -m tests.chaos.faulty_worker -A APP worker …`.

The faults are put where they happen in life, around the model's forward pass; the rest is the product. The harness
switches them on by writing the file named by CHAOS_SWITCH, once per fault; each process obeys each switch once.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.chaos.stream import BREAKS_MODEL


class Switch(msgspec.Struct, frozen=True):
    """What the next forward passes do.

    Attributes:
        number: counts up; a process obeys each number once.
        slow_seconds: each pass takes so much longer, for `passes` passes.
        passes: how many passes are slow, or fail.
        error: `out_of_memory` or `raise`; None only slows down.
    """

    number: int
    passes: int = 1
    slow_seconds: float = 0.0
    error: str | None = None


def write_switch(path: Path, switch: Switch) -> None:
    """Written whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.json.encode(switch))
    fresh.replace(path)


class FaultyPasses:
    """Wraps `OpinionClassifier.forward`."""

    def __init__(self, forward: Any, path: Path) -> None:
        self._forward = forward
        self._path = path
        self._obeyed = self._read().number  # a fresh process owes nothing to faults of before its time
        self._left, self._switch = 0, Switch(0)

    def __call__(self, model: Any, *arguments: Any, **options: Any) -> Any:
        switch = self._read()
        if switch.number > self._obeyed:
            self._obeyed, self._left, self._switch = switch.number, switch.passes, switch
        if self._left:
            self._left -= 1
            self._fail()
        return self._forward(model, *arguments, **options)

    def _fail(self) -> None:
        time.sleep(self._switch.slow_seconds)  # a model that is slow: what is being simulated
        if self._switch.error == "out_of_memory":
            import torch

            raise torch.OutOfMemoryError("CUDA out of memory (chaos)")
        if self._switch.error == "raise":
            raise RuntimeError("a pass that fails (chaos)")

    def _read(self) -> Switch:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Switch)
        except FileNotFoundError:
            return Switch(0)


def install(path: Path) -> None:
    """Break the classifier of this process."""
    from models.classifier import OpinionClassifier
    from models.inference import Classifier

    passes = FaultyPasses(OpinionClassifier.forward, path)
    OpinionClassifier.forward = lambda model, *arguments, **options: passes(model, *arguments, **options)
    classify = Classifier.classify

    def breakable(classifier: Classifier, texts: Sequence[str]) -> Any:
        if any(BREAKS_MODEL in text for text in texts):
            raise ValueError("a text that the model cannot take (chaos)")
        return classify(classifier, texts)

    Classifier.classify = breakable  # type: ignore[method-assign]


if __name__ == "__main__":
    install(Path(os.environ["CHAOS_SWITCH"]))
    from faust.cli.faust import cli

    sys.argv[0] = "faust"
    cli()
