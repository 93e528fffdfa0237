"""Who asks, and what they may do.

Each role may do what the ones before it may: a viewer reads; an annotator labels; an analyst looks after incidents,
watchlists, rules, silences and subscriptions; an admin promotes models, puts dead letters back and manages people.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, Literal, get_args

from fastapi import Depends, Request

from web.problems import Problem, ProblemError

Role = Literal["viewer", "annotator", "analyst", "admin"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who uses the console, or a program with a token."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether they may do what this role may."""
        return ROLES.index(self.role) >= ROLES.index(role)


ANYONE: Final = Person("console", "admin")
"""Who asks where the console has no accounts: whoever reaches it."""


def person_of(request: Request) -> Person:
    """Who makes this request."""
    person: Person = getattr(request.state, "person", ANYONE)
    return person


def needs_role(role: Role) -> Callable[[Request], Person]:
    """A dependency that lets in people of this role and above.

    Raises:
        ProblemError: 403.
    """

    def allowed(request: Request) -> Person:
        person = person_of(request)
        if not person.may(role):
            raise ProblemError(Problem(403, "wrong_role", role))
        return person

    return allowed


Annotator = Annotated[Person, Depends(needs_role("annotator"))]
Analyst = Annotated[Person, Depends(needs_role("analyst"))]
Admin = Annotated[Person, Depends(needs_role("admin"))]
