"""Structured logs: events with keys, JSON for machines and colours for a terminal."""

import logging
import sys
from typing import Literal, TextIO

import structlog

LogFormat = Literal["auto", "json", "console"]


def configure_logs(level: str = "info", log_format: LogFormat = "auto") -> None:
    """Send structlog and the standard library's loggers to stderr in one shape. Called once per process.

    Control characters of crawled text cannot reach a terminal: the JSON renderer escapes them, and the
    console renderer shows values by `repr`.
    """
    is_console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if is_console else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    finish: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if not is_console:
        finish.append(structlog.processors.format_exc_info)
    handler = _StderrHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()], processors=[*finish, renderer]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for chatty in ("aiokafka", "kafka", "httpx", "httpcore", "apscheduler", "alembic", "faust", "mode"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    # It cannot read what Faust's members tell each other, and says so, in binary, at each look at the group.
    logging.getLogger("kafka.admin._groups").setLevel(logging.ERROR)


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stderr` is at the moment; a test or an embedding program may have replaced it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The module's logger; cheap, safe at import time."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
