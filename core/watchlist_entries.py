"""What may stand in a watchlist's definition, wherever it comes from: a YAML file, a command, the API or SQL."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from core.errors import UsageError
from core.folding import fold
from core.watchlist_queries import parse_query
from core.watchlists import Rule, Watchlist

MAX_NAME_CHARS: Final = 200
MAX_WORD_CHARS: Final = 200
MAX_WORDS: Final = 1000  # of one field

# Documents come without them (`streams.intake`), and PostgreSQL takes no NUL.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def speakable(text: str) -> str:
    """The text, if it has no control characters; raises ValueError."""
    if _CONTROL.search(text):
        raise ValueError("control characters and line breaks are not taken")
    return text


def _findable(word: str) -> str:
    if not fold(word).text.strip():
        raise ValueError("there is nothing in it to look for")
    return word


_Text = Annotated[str, StringConstraints(strict=True, strip_whitespace=True, min_length=1), AfterValidator(speakable)]
_Word = Annotated[_Text, Field(max_length=MAX_WORD_CHARS), AfterValidator(_findable)]
_Words = Annotated[list[_Word], Field(max_length=MAX_WORDS)]
_Names = Annotated[list[Annotated[_Text, Field(max_length=MAX_NAME_CHARS)]], Field(max_length=MAX_WORDS)]


class Definition(BaseModel):
    """A watchlist without its name; `core.watchlists` says what each field means."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"any": ["苹果"], "exclude": ["苹果汁"]}})

    any: _Words = Field(default_factory=list, description="One of these has to occur.")
    must: _Words = Field(default_factory=list, description="All of these have to occur.")
    exclude: _Words = Field(default_factory=list, description="None of these may stand by itself.")
    query: Annotated[str, StringConstraints(strict=True, strip_whitespace=True), AfterValidator(speakable)] = Field(
        "", description="AND OR NOT, parentheses, phrases; 与 或 非 too."
    )
    sources: _Names = Field(default_factory=list, description="Only documents from these.")
    langs: _Names = Field(default_factory=list, description="Only documents in these languages.")

    @field_validator("query")
    @classmethod
    def _is_understood(cls, query: str) -> str:
        if query:
            parse_query(query)
        return query

    @model_validator(mode="after")
    def _asks_for_something(self) -> "Definition":
        if not (self.any or self.must or self.query):
            raise ValueError("there is nothing to look for: it needs `any`, `must` or a `query`")
        if not self.any and Rule(self.named("")).is_met_without_words:
            raise ValueError(
                f"query {self.query!r} holds where nothing occurs: say with `any`, `must` or in the query what has "
                "to occur, and not only what must not"
            )
        return self

    def named(self, name: str) -> Watchlist:
        """The watchlist of this definition."""
        return Watchlist(
            name=name,
            any=tuple(self.any),
            must=tuple(self.must),
            exclude=tuple(self.exclude),
            query=self.query,
            sources=tuple(self.sources),
            langs=tuple(self.langs),
        )


class Entry(Definition):
    """A watchlist as a file has it."""

    name: Annotated[_Text, Field(max_length=MAX_NAME_CHARS)]

    def watchlist(self) -> Watchlist:
        """The same, as it is matched."""
        return self.named(self.name)


def definition_of(watchlist: Watchlist) -> dict[str, Any]:
    """What defines a watchlist, without its name and without what it leaves open: JSON."""
    fields = ("any", "must", "exclude", "query", "sources", "langs")
    values = {name: getattr(watchlist, name) for name in fields}
    return {name: value if isinstance(value, str) else list(value) for name, value in values.items() if value}


def watchlist_of(name: str, definition: Mapping[str, Any]) -> Watchlist:
    """The watchlist that a name and a definition make.

    Raises:
        UsageError: they do not; the message names each field and cause.
    """
    if not isinstance(definition, Mapping):  # SQL takes any JSON
        raise UsageError(f"watchlist {name!r}: the definition is no object", remedy="docs/how-to/watch-brands.md")
    try:
        return Entry.model_validate({**definition, "name": name}).watchlist()
    except ValidationError as error:
        problems = "; ".join(problems_of(error))
        raise UsageError(f"watchlist {name!r}: {problems}", remedy="docs/how-to/watch-brands.md") from error


def problems_of(error: ValidationError) -> Iterator[str]:
    """One clause for each thing that is wrong."""
    for item in error.errors():
        place = field_of(item["loc"])
        yield f"{place}: {cause_of(item)}" if place else cause_of(item)


def field_of(loc: Sequence[int | str]) -> str:
    """`any[2]`"""
    return "".join(f"[{key}]" if isinstance(key, int) else f" {key}" for key in loc).strip()


def cause_of(item: Any) -> str:
    """What is wrong, in words for whoever wrote it."""
    if item["type"] == "extra_forbidden":
        return f"not understood; understood are: {', '.join(('name', *Definition.model_fields))}"
    if item["type"] == "string_type":
        return f"{item['input']!r} is no text; put it in quotes"
    return str(item["msg"]).removeprefix("Value error, ")
