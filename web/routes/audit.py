"""`/audit`: who changed what, for admins."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from storage import audit_log
from web.database import Reading
from web.rendering import page
from web.roles import Admin
from web.routes.api import LARGEST_ID

router = APIRouter(include_in_schema=False)


@router.get("/audit")
def show(
    request: Request,
    connection: Reading,
    admin: Admin,
    before: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
) -> HTMLResponse:
    """The newest lines, or those before one."""
    lines = audit_log.page(connection, before=before)
    older = lines[-1].id if len(lines) == audit_log.PAGE else None
    return page(request, "audit.html", lines=lines, before=before, older=older)
