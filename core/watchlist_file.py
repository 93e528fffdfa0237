"""The YAML file of watchlists, read so that whoever wrote it finds what is wrong, and written from what is stored."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import ConfigError
from core.watchlist_entries import Entry, cause_of, definition_of
from core.watchlists import Watchlist, Watchlists

REMEDY: Final = "docs/how-to/watch-brands.md describes the file"
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML has it: ten times as fast


def load_watchlists(path: Path | None) -> Watchlists:
    """Read a watchlist file; none at all watches nothing.

    Raises:
        ConfigError: it cannot be read or used; the message names file, line, entry and field.
    """
    return Watchlists(read_watchlists(path)) if path is not None else Watchlists()


def read_watchlists(path: Path) -> list[Watchlist]:
    """The entries of a watchlist file, in its order.

    Raises:
        ConfigError: as `load_watchlists`.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=_LOADER)
        body = _File.model_validate(yaml.SafeLoader("").construct_document(root) if root else None)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the watchlist file {path} cannot be read: {error}", remedy=REMEDY) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{place}: {getattr(error, 'problem', None) or error}", remedy=REMEDY) from error
    except RecursionError as error:
        raise ConfigError(f"{path}: too many lists within each other", remedy=REMEDY) from error
    except ValidationError as error:
        problems = [f"  {_place(path, root, item['loc'])}: {_cause(item)}" for item in error.errors()]
        raise ConfigError("\n".join(["the watchlists cannot be used:", *problems]), remedy=REMEDY) from error
    first: dict[str, int] = {}
    for number, entry in enumerate(body.watchlists):
        if first.setdefault(entry.name, number) != number:
            place = _place(path, root, ("watchlists", number, "name"))
            raise ConfigError(f"{place}: there is another watchlist {entry.name!r}", remedy=REMEDY)
    return [entry.watchlist() for entry in body.watchlists]


def written(watchlists: Iterable[Watchlist]) -> str:
    """A watchlist file that `read_watchlists` reads as the same watchlists."""
    entries = [{"name": watchlist.name, **definition_of(watchlist)} for watchlist in watchlists]
    return yaml.safe_dump({"watchlists": entries}, allow_unicode=True, sort_keys=False, width=110)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    watchlists: list[Entry]


def _place(path: Path, root: yaml.Node | None, loc: Sequence[int | str]) -> str:
    """`file:line: watchlists[3] ("Acme") any[0]`, as far as the file has it."""
    node, line, entry = root, 1, ""
    for key in loc:
        if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
            node = node.value[key]
            line = node.start_mark.line + 1
            entry = entry or _entry_name(node)
        elif isinstance(node, yaml.MappingNode):
            pairs = [(k, value) for k, value in node.value if k.value == key]
            if not pairs:
                break
            key_node, node = pairs[-1]
            line = key_node.start_mark.line + 1
    steps = [f"[{key}]" if isinstance(key, int) else f" {key}" for key in loc]
    where = "".join(f"{step}{entry}" if n == 1 else step for n, step in enumerate(steps)).strip()
    return f"{path}:{line}: {where}" if where else f"{path}:{line}"


def _entry_name(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "name" and isinstance(value, yaml.ScalarNode):
                return f' ("{value.value}")'
    return ""


def _cause(item: Any) -> str:
    loc = item["loc"]
    if item["type"] == "extra_forbidden" and len(loc) == 1:
        return "not understood; understood are: watchlists"
    if not loc:
        return "the file has to begin with `watchlists:`"
    return cause_of(item)
