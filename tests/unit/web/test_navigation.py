"""The bar holds as many pages as there are, and each is a key press away."""

from web.navigation import Bar, Entry
from web.roles import Person

KEYS = (
    "overview",
    "incidents",
    "documents",
    "watchlists",
    "rules",
    "silences",
    "subscriptions",
    "label",
    "models",
    "operations",
    "reports",
    "people",
)
MANY = [Entry("/" if key == "overview" else f"/{key}", key) for key in KEYS]


def test_few_pages_stand_beside_each_other() -> None:
    """Nobody opens a menu for one page."""
    bar = Bar.of(Person("a", "viewer"), "/incidents/7", MANY[:5])
    assert [one.key for one in bar.beside] == list(KEYS[:5])
    assert bar.menu == {}
    assert bar.current is not None
    assert bar.current.key == "incidents"
    assert bar.menu_current is None


def test_many_pages_are_grouped_and_none_is_lost() -> None:
    """The daily ones stay, the others are in the menu by what they are for, which says where the reader is."""
    bar = Bar.of(Person("a", "viewer"), "/silences", MANY)
    assert [one.key for one in bar.beside] == ["overview", "incidents", "documents", "watchlists", "label"]
    assert {family: [one.key for one in found] for family, found in bar.menu.items()} == {
        "alerting": ["rules", "silences", "subscriptions"],
        "running": ["models", "operations", "reports"],
        "people": ["people"],
    }
    assert bar.menu_current is not None
    assert bar.menu_current.key == "silences"
    assert bar.letters["incidents"] == "i"
    assert len(set(bar.letters.values())) == len(MANY)


def test_a_page_is_shown_to_those_who_may_see_it() -> None:
    """Roles decide before places are given away."""
    pages = [Entry("/", "overview"), Entry("/people", "people", "admin")]
    assert [one.key for one in Bar.of(Person("a", "viewer"), "/", pages).beside] == ["overview"]
    assert len(Bar.of(Person("a", "admin"), "/", pages).beside) == 2
