"""Explains verdicts for the console, in a child process that is there only while somebody asks.

A model with what it needs to be explained takes more than a gigabyte; the console itself stays light. Questions are
answered one at a time by one thread; few may wait, each for a limited time.
"""

import contextlib
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from queue import Empty, Full, Queue
from typing import IO, Any, Final, NamedTuple

import msgspec
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from core.children import spawn, stop
from core.errors import CheckpointError, NotFoundError
from core.settings import Settings
from core.taxonomy import Head
from models.lineage import version_of
from models.registry import STARTER, STARTER_FOLDER
from opinion.explanations import Method, Question, Reply
from storage import model_versions
from streams.model_files import brought_here
from web.explaining import (
    ExplainerBusyError,
    ExplanationFailedError,
    ExplanationTooLongError,
    NoCheckpointError,
    Why,
    Word,
)

log = structlog.get_logger(__name__)

WAITING: Final = 3  # questions that may wait behind the one that is answered
ANSWER_SECONDS: Final = 50.0  # loading the model is part of the first answer
PATIENCE_SECONDS: Final = 55.0  # waiting and answer together; a browser gives up after 60
CAREFUL_CHARS: Final = 400  # longer texts are explained by one backward pass instead of 32
MOST_CHARS: Final = 3000  # and these not at all here: minutes of a core
IDLE_SECONDS: Final = 120.0  # without a question the child is ended, and its memory given back


class _Asked(NamedTuple):
    question: Question
    answer: Future[Why]


class ChildExplainer:
    """An `Explain` for `create_app`. Starts nothing before the first question."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._answer_seconds = answer_seconds
        self._idle_seconds = idle_seconds
        self._asked: Queue[_Asked | None] = Queue(WAITING)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._child: subprocess.Popen[bytes] | None = None

    def __call__(self, model_version: str, text: str, head: Head) -> Why:
        """See `web.explaining.Explain`."""
        if len(text) > MOST_CHARS:
            raise ExplanationTooLongError
        method: Method = "integrated" if len(text) <= CAREFUL_CHARS else "gradient"
        asked = _Asked(Question(self._checkpoint(model_version), text, head, method), Future())
        self._begin()
        try:
            self._asked.put_nowait(asked)
        except Full:
            raise ExplainerBusyError from None
        try:
            return asked.answer.result(PATIENCE_SECONDS)
        except FutureTimeoutError:
            if asked.answer.cancel():  # nobody has begun with it
                raise ExplainerBusyError from None
            raise ExplanationTooLongError from None
        except CancelledError:
            raise ExplainerBusyError from None

    @property
    def child(self) -> int | None:
        """The process id of the child, while there is one."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def close(self) -> None:
        """End the child. Questions that wait are answered as if others went before them."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is None:
            return
        while True:
            try:
                waiting = self._asked.get_nowait()
            except Empty:
                break
            if waiting is not None:
                waiting.answer.cancel()
        self._asked.put(None)
        if self._child is not None:
            self._child.kill()  # it may be in the middle of an answer
        thread.join(10)

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="explainer", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        """The thread that starts the child must last as long as the child may (`core.children.spawn`)."""
        while True:
            try:
                asked = self._asked.get(timeout=self._idle_seconds if self._child else None)
            except Empty:
                self._end()
                continue
            if asked is None:
                self._end()
                return
            if asked.answer.set_running_or_notify_cancel():
                try:
                    asked.answer.set_result(self._answer(asked.question))
                except Exception as error:  # whoever waits for the answer hears of it
                    asked.answer.set_exception(error)

    def _answer(self, question: Question) -> Why:
        child = self._living()
        if child.stdin is None or child.stdout is None:
            raise ExplanationFailedError
        is_late = threading.Event()

        def give_up() -> None:
            is_late.set()
            child.kill()

        timer = threading.Timer(self._answer_seconds, give_up)
        timer.start()
        try:
            child.stdin.write(msgspec.json.encode(question) + b"\n")
            child.stdin.flush()
            reply, said = _reply(child.stdout)
        except OSError:
            reply, said = None, ()
        finally:
            timer.cancel()
        if reply is None:
            self._end()
            if is_late.is_set():
                raise ExplanationTooLongError
            log.warning("explainer_ended", code=child.returncode, said=list(said))
            raise ExplanationFailedError
        if reply.error:
            log.warning("explanation_failed", error=reply.error, checkpoint=question.checkpoint)
            raise ExplanationFailedError(reply.error)
        return _why(question.head, msgspec.json.decode(reply.explanation))

    def _living(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self._end()
            program = [sys.executable, "-m", "opinion.explanations"]
            self._child = spawn(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        stop(child, grace_seconds=2)
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # what was left for it to read
                    pipe.close()

    def _checkpoint(self, model_version: str) -> str:
        """Where the model that judged lies on this machine, else the champion, else the configured one.

        Raises:
            NoCheckpointError: none of them is here.
        """
        for path in self._paths(model_version):
            try:
                return brought_here(path, self._engine, home=self._settings.home, store=None)
            except CheckpointError:
                continue
        raise NoCheckpointError

    def _paths(self, model_version: str) -> list[str]:
        configured = _folder(self._settings.models.checkpoint)
        paths = [str(configured)] if configured and version_of(configured) == model_version else []
        try:
            with self._engine.connect() as connection:
                with contextlib.suppress(NotFoundError):  # a checkpoint that was never registered
                    paths.insert(0, model_versions.find(connection, model_version).path)
                champion = model_versions.champion(connection)
        except SQLAlchemyError:
            champion = None
        if champion is not None:
            paths.append(champion.path)
        return [*paths, str(configured)] if configured else paths


def _folder(checkpoint: str) -> Path | None:
    """The configured checkpoint's folder, where it is one that nobody has to fetch."""
    folder = STARTER_FOLDER if checkpoint == STARTER else Path(checkpoint).expanduser()
    return folder.resolve() if folder.is_dir() else None


def _reply(lines: IO[bytes]) -> tuple[Reply | None, Sequence[str]]:
    """The next reply, None at the end; and the last of what else the child has said before."""
    said: deque[str] = deque(maxlen=5)
    for line in lines:
        try:
            return msgspec.json.decode(line, type=Reply), said
        except msgspec.DecodeError:
            said.append(line.decode("utf-8", "replace").rstrip()[:200])
    return None, said


def _why(head: Head, found: dict[str, Any]) -> Why:
    deletion = found["deletion"]
    return Why(
        head,
        found["class"],
        found["score"],
        tuple(Word(one["start"], one["end"], one["attribution"]) for one in found["tokens"]),
        found["method"],
        found["model_version"],
        (deletion["aopc"], deletion["aopc_random"]) if deletion else None,
    )
