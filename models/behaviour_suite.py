"""The behaviour cases: templates with slots in YAML, filled the same way every time.

Capabilities and test types follow CheckList (Ribeiro et al. 2020, ACL, https://aclanthology.org/2020.acl-main.442):
a minimum functionality test (MFT) knows the right answer, an invariance test (INV) changes what must not matter, a
directional test (DIR) changes what must move the negative score. Every sentence was written for this project; no
case is ever trained on.
"""

import hashlib
import itertools
import re
import string
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import NotFoundError, UsageError
from core.taxonomy import CLASSES, Head

SUITE_FOLDER: Final = Path(__file__).parent / "behaviour_cases"
WORDS_FILE: Final = "words.yaml"
FULL_WIDTH: Final = {ascii_code: ascii_code + 0xFEE0 for ascii_code in range(0x21, 0x7F)}  # Unicode, block FF00
DIRECTIONS: Final = {"rises", "falls"}
NTH: Final = "nth word of each group"  # a slot that no template can name

TestType = Literal["MFT", "INV", "DIR"]
Slots = dict[str, list[str]]


class Case(msgspec.Struct, frozen=True):
    """One filled template.

    Attributes:
        texts: what is classified: one text (MFT), before and after (INV, DIR), or one for each group (swapped words).
        groups: names of the texts' groups; empty where no word was swapped.
        expect: allowed labels (MFT), `rises` or `falls` (DIR), nothing (INV).
    """

    capability: str
    lang: str
    type: TestType
    head: Head
    template: str
    texts: tuple[str, ...]
    groups: tuple[str, ...] = ()
    expect: tuple[str, ...] = ()


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Test(_Part):
    """One entry of `tests`: templates of one type, and at most one of `swap`, `replace` and `transform`.

    Attributes:
        templates: a text with `{slots}`; for a change written out, a pair of them.
        swap: one slot, and its words by group; a plain list makes each word a group. The nth words of all groups
            stand in the same sentence.
        replace: words to replace in the text, longest first.
        most: cases made of one template.
    """

    lang: str
    type: TestType
    head: Head = "sentiment"
    expect: str | list[str] | None = None
    templates: list[str | tuple[str, str]] = Field(min_length=1)
    slots: Slots = {}
    swap: dict[str, list[str] | Slots] | None = Field(None, min_length=1, max_length=1)
    replace: dict[str, str] | None = None
    transform: Literal["full_width", "typo"] | None = None
    most: int = Field(4, ge=1)

    @property
    def expected(self) -> tuple[str, ...]:
        return (self.expect,) if isinstance(self.expect, str) else tuple(self.expect or ())

    @model_validator(mode="after")
    def _fits_its_type(self) -> "_Test":
        changes = [name for name in ("swap", "replace", "transform") if getattr(self, name) is not None]
        pairs = {isinstance(template, tuple) for template in self.templates}
        if len(changes) + (True in pairs) != (0 if self.type == "MFT" else 1) or len(pairs) > 1:
            raise ValueError(
                "an MFT takes plain templates; INV and DIR take pairs, or plain ones with swap, replace or transform"
            )
        allowed = {"MFT": set(CLASSES[self.head]), "INV": set(), "DIR": DIRECTIONS}[self.type]
        if set(self.expected) - allowed or bool(self.expected) != bool(allowed):
            raise ValueError(f"expect of an {self.type} must be of {sorted(allowed) or 'nothing'}")
        if self.type == "DIR" and (self.head != "sentiment" or len(self.expected) != 1):
            raise ValueError("a DIR test is about the negative score, which either rises or falls")
        return self


class _File(_Part):
    capability: str
    tests: list[_Test]


def load_suite(folder: Path = SUITE_FOLDER) -> list[Case]:
    """Every case of the folder's YAML files, in the same order and with the same texts every time.

    Raises:
        NotFoundError: no such folder, or no file in it.
        UsageError: a file is not YAML, or a field, slot or change in it cannot be used; the message names it.
    """
    paths = sorted(path for path in folder.glob("*.yaml") if path.name != WORDS_FILE)
    if not paths:
        raise NotFoundError(
            f"there are no behaviour cases in {folder}", remedy="models/behaviour_cases is an example"
        )
    words_file = folder / WORDS_FILE
    words: dict[str, Slots] = _read(words_file) if words_file.is_file() else {}
    return [case for path in paths for case in _cases(path, words)]


def _cases(path: Path, words: dict[str, Slots]) -> Iterator[Case]:
    try:
        file = _File.model_validate(_read(path))
    except ValidationError as error:
        problems = "\n".join(f"  {'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise UsageError(f"the behaviour cases {path.name} cannot be used:\n{problems}") from error
    for number, test in enumerate(file.tests):
        for template in test.templates:
            try:
                made = [_case(file.capability, test, template, filled) for filled in _fillings(test, template, words)]
            except (KeyError, ValueError) as error:
                shown = template if isinstance(template, str) else template[0]
                raise UsageError(f"{path.name}, tests.{number}, template {shown!r}: {error.args[0]}") from error
            yield from made


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UsageError(f"{path.name} is not YAML: {error}") from error


def _fillings(test: _Test, template: str | tuple[str, str], words: dict[str, Slots]) -> list[dict[str, str]]:
    """Up to `most` ways to fill the slots, without the swapped one."""
    slots = {**words.get(test.lang, {}), **test.slots}
    parts = (template,) if isinstance(template, str) else template
    names = {name for part in parts for _, name, _, _ in string.Formatter().parse(part) if name is not None}
    names -= set(test.swap or {})
    if unknown := sorted(names - set(slots)):
        raise ValueError(f"unknown slot {', '.join(unknown)}; {WORDS_FILE} and `slots` name the known ones")
    chosen: dict[str, Sequence[str]] = {name: slots[name] for name in sorted(names)}
    if test.swap:
        chosen[NTH] = [str(nth) for nth in range(_group_size(test.swap))]
    fillings = [dict(zip(chosen, values, strict=True)) for values in itertools.product(*chosen.values())]
    # By hash: spread over all slots, and a new word disturbs few of the cases that were there before.
    return sorted(fillings, key=lambda filled: _digest(parts[0], filled))[: test.most]


def _digest(template: str, filled: dict[str, str]) -> bytes:
    return hashlib.sha256(msgspec.json.encode([template, filled], order="sorted")).digest()


def _case(capability: str, test: _Test, template: str | tuple[str, str], filled: dict[str, str]) -> Case:
    name = template if isinstance(template, str) else " → ".join(template)
    groups: tuple[str, ...] = ()
    if isinstance(template, tuple):
        texts: tuple[str, ...] = tuple(part.format(**filled) for part in template)
    elif test.swap:
        texts, groups = _swapped(test.swap, template, filled)
    else:
        text = template.format(**filled)
        texts = (text,) if test.type == "MFT" else (text, _change(test)(text))
    if len(texts) > 1 and len(set(texts)) == 1:
        raise ValueError(f"nothing changes in {texts[0]!r}")
    return Case(capability, test.lang, test.type, test.head, name, texts, groups, test.expected)


def _swapped(
    swap: dict[str, list[str] | Slots], template: str, filled: dict[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The sentence once for each group, and the groups."""
    ((slot, words),) = swap.items()
    by_group = {word: [word] for word in words} if isinstance(words, list) else words
    nth = int(filled[NTH])
    texts = tuple(template.format(**filled, **{slot: members[nth]}) for members in by_group.values())
    return texts, tuple(by_group)


def _group_size(swap: dict[str, list[str] | Slots]) -> int:
    ((slot, words),) = swap.items()
    sizes = {1} if isinstance(words, list) else {len(members) for members in words.values()}
    if len(sizes) != 1:
        raise ValueError(f"the groups of {slot} must have equally many words")
    return sizes.pop()


def _change(test: _Test) -> Callable[[str], str]:
    replacements = test.replace
    if replacements is not None:
        return lambda text: _replaced(text, replacements)
    return full_width if test.transform == "full_width" else typo


def _replaced(text: str, words: dict[str, str]) -> str:
    for word in sorted(words, key=lambda word: (-len(word), word)):
        text = text.replace(word, words[word])
    return text


def full_width(text: str) -> str:
    """Printable ASCII as its full-width form; the space stays."""
    return text.translate(FULL_WIDTH)


def typo(text: str) -> str:
    """In the longest English word, the first two neighbours after its first letter that differ change places."""
    word = max(re.findall(r"[A-Za-z]+", text), key=len)
    at = next((at for at in range(1, len(word) - 1) if word[at] != word[at + 1]), None)
    if at is None:
        return text
    return text.replace(word, word[:at] + word[at + 1] + word[at] + word[at + 2 :], 1)
