"""What programs may do: each has a token (RFC 6750), good for what it was made for."""

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from core.roles import Role
from storage import api_tokens
from storage.api_tokens import ApiToken, Scope
from web.problems import Problem, ProblemError
from web.rendering import console_of
from web.roles import Person

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="opinion"'}
SCOPE_ROLES: Final[dict[Scope, Role]] = {"write": "analyst", "read": "viewer"}  # the first that a token has counts

_bearer = HTTPBearer(auto_error=False, description="A token of `opinion tokens create`.")


def bearer(authorization: str | None) -> str | None:
    """The token of an Authorization header; None where it is of another kind."""
    kind, _, token = (authorization or "").strip().partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def person_with(token: ApiToken) -> Person:
    """Who a program with this token is."""
    role = next((role for scope, role in SCOPE_ROLES.items() if scope in token.scopes), None)
    return Person(token.name, role, is_program=True)


def needs(scope: Scope) -> Callable[..., ApiToken]:
    """A dependency that lets in tokens with this scope; it runs before the body is read.

    Raises:
        ProblemError: 401 without a token that is good, 403 when it is not good for this.
    """

    def allowed(
        request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> ApiToken:
        token: ApiToken | None = getattr(request.state, "token", None)  # the gate has checked it
        if token is None and given and not request.app.state.access:
            with console_of(request).engine.begin() as connection:
                token = api_tokens.check(connection, given.credentials)
        if token is None:
            raise ProblemError(Problem(401, "bad_token", headers=CHALLENGE))
        if scope not in token.scopes:
            raise ProblemError(Problem(403, "wrong_scope", scope))
        return token

    return allowed
