"""Subscriptions as a YAML file, and back."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from alerts.routing.subscriptions import REMEDY, Entry, definition_of, problems_of
from core.errors import ConfigError

MAX_BYTES: Final = 5_000_000


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    subscriptions: list[Entry]


def read_subscriptions(path: Path) -> list[Entry]:
    """The subscriptions of a file, in its order.

    Raises:
        ConfigError: it cannot be read or used; the message names each entry, field and cause.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"the subscription file {path} is larger than {MAX_BYTES:,} bytes", remedy=REMEDY)
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = _File.model_validate(body).subscriptions
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the subscription file {path} cannot be read: {error}", remedy=REMEDY) from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{place}: {getattr(error, 'problem', None) or error}", remedy=REMEDY) from error
    except ValidationError as error:
        problems = [f"  {problem}" for problem in problems_of(error)]
        raise ConfigError("\n".join([f"{path} cannot be used:", *problems]), remedy=REMEDY) from error
    names = [one.name for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"{path}: more than one subscription is called {twice[0]!r}", remedy=REMEDY)
    return found


def written(entries: Iterable[Entry]) -> str:
    """A file that `read_subscriptions` reads as the same subscriptions."""
    body: list[dict[str, Any]] = [{"name": one.name, **definition_of(one)} for one in entries]
    return yaml.safe_dump({"subscriptions": body}, allow_unicode=True, sort_keys=False, width=110)
