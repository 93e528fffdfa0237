"""The console's pages as its bar shows them."""

from dataclasses import dataclass

from web.roles import Role


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
    Entry("/reports", "reports"),
    Entry("/label", "label", "annotator"),
    Entry("/models", "models"),
)
