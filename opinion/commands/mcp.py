"""`opinion mcp`: a Model Context Protocol server on stdin and stdout."""

from core.logs import configure_logs
from core.settings import load_settings
from opinion.servers import postgres_address


def mcp() -> None:
    """Let a language model's client read: search, sentiment over time, incidents, sources, watchlists.

    The client starts this command and speaks the Model Context Protocol with it on stdin and stdout; nothing else is
    ever written there. All tools only read, in read-only transactions. docs/how-to/ask-by-mcp.md has the
    configuration of common clients.

    Example: opinion mcp
    """
    settings = load_settings()
    configure_logs("warning", settings.log_format)  # to stderr
    from opinion.mcp_reading import Database
    from opinion.mcp_server import mcp_server

    database = Database(lambda: postgres_address(settings))
    try:
        mcp_server(database).run("stdio")
    finally:
        database.close()
