"""Who asks, and what they may do (`core.roles`)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request

from core.roles import ROLES, Role
from web.problems import Problem, ProblemError

__all__ = ["ANYONE", "NOBODY", "ROLES", "Admin", "Analyst", "Annotator", "Person", "Role", "needs_role", "person_of"]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who uses the console, or a program with a token.

    Attributes:
        role: None for whom nothing is open: nobody is logged in, or a token is for pushing documents alone.
        id: of the account; None where there is none behind it.
        is_program: it may say for whom it acts.
        must_change: the password is a one-time one, so nothing else is open before it is changed.
    """

    name: str
    role: Role | None
    id: int | None = None
    is_program: bool = False
    must_change: bool = False

    def may(self, role: Role) -> bool:
        """Whether they may do what this role may."""
        return self.role is not None and ROLES.index(self.role) >= ROLES.index(role)

    def acting_for(self, stated: str | None) -> str:
        """Whose name stands beside a change: a program may state one, a person always acts in their own."""
        return stated if stated and self.is_program else self.name


ANYONE: Final = Person("console", "admin", is_program=True)
"""Who asks where the console has no accounts: whoever reaches it."""

NOBODY: Final = Person("", None)
"""Who asks where there are accounts and nobody is logged in."""


def person_of(request: Request) -> Person:
    """Who makes this request."""
    person: Person | None = getattr(request.state, "person", None)
    if person is not None:
        return person
    return NOBODY if request.app.state.access else ANYONE


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
