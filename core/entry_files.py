"""YAML files that are one list of named entries, read so that whoever wrote one finds what is wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from core.errors import ConfigError


class Named(Protocol):
    """What every entry has."""

    name: str


EntryT = TypeVar("EntryT", bound=Named)

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML has it: ten times as fast


@dataclass(frozen=True)
class EntryFile(Generic[EntryT]):
    """What such a file holds.

    Attributes:
        key: the file is a mapping of this one key to the list; also what the entries are called.
        entry: a pydantic model with a `name`.
        cause_of: one of pydantic's errors in words for whoever wrote the file.
        remedy: where the file is described.
    """

    key: str
    entry: type[EntryT]
    cause_of: Callable[[Any], str]
    remedy: str

    def read(self, path: Path) -> list[EntryT]:
        """The entries, in their order.

        Raises:
            ConfigError: it cannot be read or used; the message names file, line, entry and field.
        """
        noun = self.key.removesuffix("s")
        try:
            root = yaml.compose(path.read_text(encoding="utf-8"), Loader=_LOADER)
            value = yaml.SafeLoader("").construct_document(root) if root else None
            entries: list[EntryT] = getattr(self._model().model_validate(value), self.key)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the {noun} file {path} cannot be read: {error}", remedy=self.remedy) from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"{path}:{mark.line + 1}" if mark else str(path)
            raise ConfigError(f"{place}: {getattr(error, 'problem', None) or error}", remedy=self.remedy) from error
        except RecursionError as error:
            raise ConfigError(f"{path}: too many lists within each other", remedy=self.remedy) from error
        except ValidationError as error:
            problems = [f"  {_place(path, root, item['loc'])}: {self._cause(item)}" for item in error.errors()]
            message = "\n".join([f"the {self.key} cannot be used:", *problems])
            raise ConfigError(message, remedy=self.remedy) from error
        first: dict[str, int] = {}
        for number, entry in enumerate(entries):
            if first.setdefault(entry.name, number) != number:
                place = _place(path, root, (self.key, number, "name"))
                raise ConfigError(f"{place}: there is another {noun} {entry.name!r}", remedy=self.remedy)
        return entries

    def write(self, entries: Sequence[dict[str, Any]]) -> str:
        """A file that `read` reads as the same entries."""
        return yaml.safe_dump({self.key: list(entries)}, allow_unicode=True, sort_keys=False, width=110)

    def _model(self) -> type[BaseModel]:
        fields: Any = {self.key: (list[self.entry], ...)}  # type: ignore[name-defined]
        return create_model("_File", __config__=ConfigDict(extra="forbid"), **fields)

    def _cause(self, item: Any) -> str:
        loc = item["loc"]
        if item["type"] == "extra_forbidden" and len(loc) == 1:
            return f"not understood; understood are: {self.key}"
        if not loc:
            return f"the file has to begin with `{self.key}:`"
        return self.cause_of(item)


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
