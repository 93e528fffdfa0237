"""Every failure this product names, in one tree; the docstring is the default message.

OpinionError
├── ConfigError                 the settings cannot be used                         exit 2
├── UsageError                  the command's arguments cannot be used              exit 2
├── DependencyNotReadyError     Kafka, PostgreSQL or another server does not answer exit 3
├── NotFoundError               no such document, model, incident, file             exit 4
├── GateRefusedError            a check or gate said no                             exit 5
└── ModelError
    ├── CheckpointError         a checkpoint cannot be loaded
    └── LabelSetError           a checkpoint's or file's classes are not ours
RecordRejected                  not a failure: this record belongs in the dead-letter topic
"""


class OpinionError(Exception):
    """Something went wrong."""

    exit_code = 1

    def __init__(self, message: str | None = None, *, remedy: str | None = None) -> None:
        """Args:
        message: what happened, naming the field or part; the class's docstring if absent.
        remedy: the next command or step for the person who reads it.
        """
        self.message = message or (type(self).__doc__ or "").strip()
        self.remedy = remedy
        super().__init__(self.message)


class ConfigError(OpinionError):
    """The settings cannot be used."""

    exit_code = 2


class UsageError(OpinionError):
    """The arguments cannot be used."""

    exit_code = 2


class DependencyNotReadyError(OpinionError):
    """A server this command depends on does not answer."""

    exit_code = 3


class NotFoundError(OpinionError):
    """There is no such thing."""

    exit_code = 4


class GateRefusedError(OpinionError):
    """A check or gate said no."""

    exit_code = 5


class ModelError(OpinionError):
    """The model cannot do this."""


class CheckpointError(ModelError):
    """The checkpoint cannot be loaded."""


class LabelSetError(ModelError):
    """The classes are not the ones this project knows."""


class RecordRejected(Exception):  # noqa: N818  # a control-flow signal, not a failure
    """A record that can never be stored; its bytes go to the dead-letter topic with this reason.

    Attributes:
        reason: one of `core.metrics.REJECT_REASONS` (a closed set: it is a metric label).
        detail: for people; names the field and the cause.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")
