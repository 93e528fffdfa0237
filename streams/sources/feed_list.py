"""The feeds of a YAML file."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from core.durations import duration
from core.errors import ConfigError, NotFoundError
from core.records import Kind
from storage.feeds import FeedSpec
from streams.intake import clean_text
from streams.sources.fetching import parsed
from streams.sources.refusals import FetchError

REMEDY: Final = "docs/how-to/read-feeds.md describes the file"
SHORTEST_EVERY: Final = timedelta(minutes=1)
LARGEST_FILE: Final = 10_000_000


class FeedEntry(BaseModel):
    """A feed as people write it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    source: str | None = Field(None, min_length=1, max_length=200)
    every: Annotated[timedelta | None, BeforeValidator(lambda value: duration(value) if value else None)] = Field(
        None, ge=SHORTEST_EVERY, le=timedelta(days=30)
    )
    kind: Kind = "news"
    article: bool = False
    lang: str | None = Field(None, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")
    active: bool = True

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: str) -> str:
        try:
            return str(parsed(url.strip()))
        except FetchError as error:
            raise ValueError(error.detail) from error

    @field_validator("source")
    @classmethod
    def _is_plain(cls, source: str | None) -> str | None:
        if source is not None and clean_text(source) != source:
            raise ValueError("no control characters and no white space around it")
        return source

    def spec(self, every: timedelta) -> FeedSpec:
        """Args:
        every: of a feed that says nothing.
        """
        host = parsed(self.url).host
        return FeedSpec(
            url=self.url,
            host=host,
            source=self.source or host.removeprefix("www."),
            every=self.every or every,
            kind=self.kind,
            article=self.article,
            lang=self.lang,
            is_active=self.active,
        )


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    feeds: list[FeedEntry]


def read_feed_list(path: Path, every: timedelta) -> list[FeedSpec]:
    """The feeds of a file; of a URL that stands in it twice, the last entry.

    Raises:
        NotFoundError: no such file.
        ConfigError: it cannot be used; the message names line, entry, field and cause.
    """
    if not path.is_file():
        raise NotFoundError(f"no such file: {path}")
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE).decode("utf-8")
        root = yaml.compose(content, Loader=yaml.SafeLoader)
        body = _File.model_validate(yaml.SafeLoader("").construct_document(root) if root else None)
    except ValidationError as error:
        problems = [f"  {_place(path, root, found['loc'])}: {found['msg']}" for found in error.errors()]
        raise ConfigError("\n".join([f"{path} cannot be used:", *problems[:20]]), remedy=REMEDY) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is no YAML: {error}", remedy=REMEDY) from error
    return list({spec.url: spec for spec in (entry.spec(every) for entry in body.feeds)}.values())


def _place(path: Path, root: yaml.Node | None, loc: Sequence[int | str]) -> str:
    """`file:line feeds.2.every`."""
    node: Any = root
    line = 1
    for key in loc:
        if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
            node = node.value[key]
        elif isinstance(node, yaml.MappingNode):
            node = next((value for name, value in node.value if name.value == key), None)
        else:
            break
        line = node.start_mark.line + 1 if node is not None else line
    return f"{path.name}:{line} {'.'.join(map(str, loc))}".rstrip()
