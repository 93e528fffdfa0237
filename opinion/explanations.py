"""Explains texts with one checkpoint; and, as a program, answers a console's questions line by line.

`python -m opinion.explanations` reads one `Question` as JSON from each line of stdin and writes one `Reply` to
stdout. Lines that are no reply are its log. It keeps the checkpoint of the last question, and is ended by whoever
started it (opinion/explaining.py).
"""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, Literal

import msgspec

from core.errors import OpinionError
from core.logs import configure_logs
from core.settings import Settings, load_settings
from core.taxonomy import Head
from opinion.champion import load_classifier

if TYPE_CHECKING:  # the real import loads torch
    from models.explanation import Explanation

Method = Literal["gradient", "integrated"]  # as `models.attribution` has it
ExplainText = Callable[[str, Head, str | None, Method], "Explanation"]
"""`(text, head, class, method)`; the class is the model's own answer where none is given."""


class Question(msgspec.Struct, frozen=True):
    """Which words of a text are behind a verdict of this checkpoint?"""

    checkpoint: str
    text: str
    head: Head
    method: Method = "integrated"


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """An `models.explanation.Explanation` as JSON, or what went wrong."""

    explanation: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""


def explainer(settings: Settings, checkpoint: str) -> ExplainText:
    """Loads the checkpoint, which takes seconds.

    Raises:
        CheckpointError, LabelSetError: it cannot be used.
    """
    from models.checkpoints import load_checkpoint, resolve
    from models.explanation import explain

    classifier = load_classifier(settings, checkpoint)
    model, tokenizer = load_checkpoint(resolve(checkpoint))  # a second copy: the classifier's may be quantised

    def explained(text: str, head: Head, label: str | None, method: Method) -> "Explanation":
        return explain(
            model,
            tokenizer,
            text,
            classify=classifier.classify,
            head=head,
            label=label,
            method=method,
            max_length=settings.models.max_length,
        )

    return explained


def serve(settings: Settings, questions: BinaryIO, replies: BinaryIO) -> None:
    """Answer until the questions end."""
    loaded: tuple[str, ExplainText] | None = None
    for line in questions:
        question = msgspec.json.decode(line, type=Question)
        try:
            if loaded is None or loaded[0] != question.checkpoint:
                loaded = None  # free the one before first
                loaded = question.checkpoint, explainer(settings, question.checkpoint)
            found = loaded[1](question.text, question.head, None, question.method)
            reply = Reply(explanation=msgspec.Raw(msgspec.json.encode(found)))
        except OpinionError as error:
            reply = Reply(error=error.message)
        replies.write(msgspec.json.encode(reply) + b"\n")
        replies.flush()


def main() -> None:
    configure_logs("warning")
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print goes the way of the log
    serve(load_settings(), sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
