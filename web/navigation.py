"""The console's pages as its bar shows them: the daily ones side by side, the others in a menu by purpose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Final

from web.roles import Person, Role


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the bar.

    Attributes:
        key: of its name, `nav.KEY`.
        role: the least that a person has to be to see it there.
    """

    path: str
    key: str
    role: Role = "viewer"

    def is_at(self, path: str) -> bool:
        """Whether a page belongs to this entry."""
        return path == self.path or (self.path != "/" and path.startswith(f"{self.path}/"))


ENTRIES = (
    Entry("/", "overview"),
    Entry("/incidents", "incidents"),
    Entry("/documents", "documents"),
    Entry("/watchlists", "watchlists"),
    Entry("/rules", "rules"),
    Entry("/silences", "silences"),
    Entry("/subscriptions", "subscriptions"),
    Entry("/reports", "reports"),
    Entry("/label", "label", "annotator"),
    Entry("/models", "models"),
    Entry("/operations", "operations"),
)

MOST_BESIDE: Final = 6  # more do not fit beside each other
DAILY: Final = ("overview", "incidents", "documents", "watchlists", "label")
FAMILIES: Final[Mapping[str, tuple[str, ...]]] = {
    "alerting": ("rules", "silences", "subscriptions"),
    "running": (),  # and whatever no other family names
    "people": ("people", "account"),
}
"""Of the menu: by `nav.family.KEY` the keys of its pages."""


@dataclass(frozen=True, slots=True)
class Bar:
    """The bar of one page as one person sees it.

    Attributes:
        beside: entries that stand in the bar itself.
        menu: the other entries by family, none of them empty.
        current: the entry that the page belongs to; None: it is in no entry.
        letters: by key of an entry, what leads there after `g`.
    """

    beside: Sequence[Entry]
    menu: Mapping[str, Sequence[Entry]]
    current: Entry | None
    letters: Mapping[str, str]

    @classmethod
    def of(cls, person: Person, path: str, entries: Sequence[Entry] = ENTRIES) -> "Bar":
        """Of the pages that this person may see."""
        seen = [one for one in entries if person.may(one.role)]
        is_short = len(seen) <= MOST_BESIDE
        beside = [one for one in seen if is_short or one.key in DAILY]
        rest = [one for one in seen if one not in beside]
        menu = {family: [one for one in rest if _family(one) == family] for family in FAMILIES}
        return cls(
            beside=beside,
            menu={family: found for family, found in menu.items() if found},
            current=next((one for one in seen if one.is_at(path)), None),
            letters=letters_of(seen),
        )

    @property
    def menu_current(self) -> Entry | None:
        """The current entry, if the menu hides it."""
        return self.current if self.current not in self.beside else None


def letters_of(entries: Sequence[Entry]) -> dict[str, str]:
    """By key of an entry, the first letter of it that no entry before has, else any that is free."""
    letters: dict[str, str] = {}
    for one in entries:
        free = [letter for letter in one.key + ascii_lowercase if letter not in letters.values()]
        letters[one.key] = free[0]
    return letters


def _family(entry: Entry) -> str:
    return next((family for family, keys in FAMILIES.items() if entry.key in keys), "running")
