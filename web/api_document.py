"""The OpenAPI document of a console with accounts: every call needs a session or a token, and says so."""

from typing import Any, Final

from fastapi import FastAPI

from web.access import PLAIN_COOKIE

BEARER: Final = "HTTPBearer"  # as FastAPI names the scheme of `web.tokens.needs`
SESSION: Final = "session"
REFUSALS: Final = {
    "401": "Nobody is logged in, and there is no good token.",
    "403": "The role or the token's scope does not allow it, or another site's page asks.",
}


def say_who_may(app: FastAPI) -> None:
    """Add to the document, when it is first asked for, how to come in and what is said to who does not."""
    plain = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = plain()
            schemes = made.setdefault("components", {}).setdefault("securitySchemes", {})
            schemes.setdefault(BEARER, {"type": "http", "scheme": "bearer"})
            schemes[SESSION] = {"type": "apiKey", "in": "cookie", "name": PLAIN_COOKIE}
            made["security"] = [{BEARER: []}, {SESSION: []}]
            error = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}}
            for path in made["paths"].values():
                for operation in path.values():
                    for status, why in REFUSALS.items():
                        operation["responses"].setdefault(status, {"description": why, "content": error})
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to extend it
