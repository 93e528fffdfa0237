"""A Faust worker that can be made to hang: `python -m tests.support.hanging_worker -A streams.app worker …`.

The file named by HANG says where, and for how many seconds: `loop 3600` blocks the event loop, `model 3600` the
classifier's thread, `load 3600` the loading of the model. `<file>.reached` tells that it hangs. Without
the file the worker is the product.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

HANG = "HANG"


def hang(place: str) -> None:
    """Block the calling thread if the file says so."""
    path = Path(os.environ[HANG])
    if path.exists():
        told, seconds = path.read_text().split()
        if told == place:
            path.with_name(f"{path.name}.reached").touch()
            time.sleep(float(seconds))  # the hang itself


def install() -> None:
    """Put the hangs where they happen in life."""
    from models.inference import Classifier
    from streams.publish import PublishStep

    load, classify, publish = Classifier.load.__func__, Classifier.classify, PublishStep.run  # type: ignore[attr-defined]

    def hanging_load(cls: Any, *arguments: Any, **options: Any) -> Any:
        hang("load")
        return load(cls, *arguments, **options)

    def hanging_classify(self: Any, texts: Any) -> Any:
        hang("model")
        return classify(self, texts)

    async def hanging_publish(self: Any, *arguments: Any) -> None:
        hang("loop")
        await publish(self, *arguments)

    Classifier.load = classmethod(hanging_load)  # type: ignore[assignment]
    Classifier.classify = hanging_classify  # type: ignore[method-assign]
    PublishStep.run = hanging_publish  # type: ignore[method-assign]


if __name__ == "__main__":
    install()
    from faust.cli.faust import cli

    sys.argv[0] = "faust"
    cli()
