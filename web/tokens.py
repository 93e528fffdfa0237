"""Who may use the parts of the API that change something: programs with a token (RFC 6750)."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from storage import api_tokens
from storage.api_tokens import ApiToken, Scope
from web.problems import Problem, ProblemError
from web.rendering import console_of

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="opinion"'}

_bearer = HTTPBearer(auto_error=False, description="A token of `opinion tokens create`.")


def needs(scope: Scope) -> Callable[..., ApiToken]:
    """A dependency that lets in tokens with this scope; it runs before the body is read.

    Raises:
        ProblemError: 401 without a token that is good, 403 when it is not good for this.
    """

    def allowed(
        request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> ApiToken:
        with console_of(request).engine.begin() as connection:
            token = api_tokens.check(connection, given.credentials) if given else None
        if token is None:
            raise ProblemError(Problem(401, "bad_token", headers=CHALLENGE))
        if scope not in token.scopes:
            raise ProblemError(Problem(403, "wrong_scope", scope))
        return token

    return allowed
