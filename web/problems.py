"""A request that cannot be answered, and what is said about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.errors import DependencyNotReadyError, NotFoundError, OpinionError, UsageError


@dataclass(frozen=True, slots=True)
class Problem:
    """`code` names the message and remedy in `web.i18n`; `detail` adds what only this request knows.

    Attributes:
        retry_after_seconds: when a program may ask again; 0: no use.
    """

    status: int
    code: str
    detail: str = ""
    retry_after_seconds: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


class ProblemError(Exception):
    """A request that is answered with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def problem_of(error: OpinionError) -> Problem:
    """What a failure of ours comes to for who asked: 503, 404, 422, or 409 where something said no."""
    status, code = next((answer for kind, answer in _ANSWERS.items() if isinstance(error, kind)), (409, "refused"))
    return Problem(status, code, f"{error.message} ({error.remedy})" if error.remedy else error.message)


_ANSWERS: Mapping[type[OpinionError], tuple[int, str]] = {
    DependencyNotReadyError: (503, "no_broker"),
    NotFoundError: (404, "not_found"),
    UsageError: (422, "bad_query"),
}
