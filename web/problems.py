"""A request that cannot be answered, and what is said about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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
