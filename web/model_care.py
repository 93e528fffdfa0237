"""What the console asks of the model registry; `opinion.model_care` answers."""

from dataclasses import dataclass
from typing import Protocol

from web.i18n import Language


@dataclass(frozen=True, slots=True)
class Card:
    """A model's card: Markdown as its training wrote it, and the names of the pictures beside it."""

    markdown: str
    pictures: tuple[str, ...]


class ModelCare(Protocol):
    """Changes of champion, and what stands in the folders of models.

    Every method may raise `core.errors.OpinionError`, whose message and remedy are for people.
    """

    def promote(self, version: str, *, reason: str, by: str) -> bool:
        """Make it champion; returns whether the workers were told at once, else the scheduler tells them."""

    def rollback(self, *, by: str) -> bool:
        """Go back to the champion before; returns as `promote`."""

    def reject(self, version: str, *, reason: str, by: str) -> None:
        """Refuse the candidate that is in shadow."""

    def card(self, version: str) -> Card | None:
        """None: it has none, or its files are not on this machine."""

    def picture(self, version: str, name: str) -> bytes | None:
        """One of the card's pictures."""

    def report(self, version: str, language: Language) -> str | None:
        """The gate's verdict on it as an HTML page that needs nothing else; None: it was never judged."""
