"""The page on asking by MCP: its program runs, its configuration is JSON, and it names every tool."""

import json
import re
from pathlib import Path

from opinion.mcp_server import Tools
from storage.engine import connect
from tests.support.pages import ROOT, Reader, examples
from tests.support.records import row
from tests.support.rows import store_rows

PAGE = (ROOT / "docs" / "how-to" / "ask-by-mcp.md").read_text(encoding="utf-8")


def test_the_program_finds_a_document(database_url: str, tmp_path: Path) -> None:
    """A reader's own client starts the server and reads its answer."""
    engine = connect(database_url)
    store_rows(engine, [row("forum:1", 1, text="奶茶过期了")])
    engine.dispose()
    [program] = examples("ask-by-mcp.md")
    reader = Reader(tmp_path, {"OPINION_DATABASE_URL": database_url, "OPINION_HOME": str(tmp_path)}, {})
    assert reader.types(program) == "forum:1 negative 奶茶过期了\n"


def test_the_page_names_every_tool_and_shows_json() -> None:
    """What a client is configured with can be read, and no tool is left out."""
    [configuration] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert json.loads(configuration)["mcpServers"]["opinion"]["args"] == ["mcp"]
    tools = {name for name in vars(Tools) if not name.startswith("_")}
    assert set(re.findall(r"`([a-z_]+)`(?=[^|\n]*\|)", PAGE)) >= tools
