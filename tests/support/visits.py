"""A reader's browser, and what went wrong in it."""

from dataclasses import dataclass, field

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, ViewportSize

from tests.support.hostile import CANARY

PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1360, "height": 900}


@dataclass
class Visit:
    """A page on a console.

    Attributes:
        url: of the console.
        foreign: requests that left it.
        complaints: what the browser's console called an error.
    """

    page: Page
    url: str
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("request", lambda request: self._note_request(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console", lambda message: self.complaints.append(message.text) if message.type == "error" else None
        )

    def go(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def go_and_draw(self, path: str) -> Page:
        self.go(path)
        self.page.wait_for_selector("[data-drawn]")
        return self.page

    def assert_clean(self) -> None:
        """No script failed, nothing was asked of another host, nothing sticks out sideways."""
        where = self.page.url
        assert self.complaints == [], where
        assert self.foreign == [], where
        assert self.page.evaluate(f"window.{CANARY}") is None, where
        wide, seen = self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= seen, where

    def assert_accessible(self) -> None:
        """Axe finds nothing."""
        found = Axe().run(self.page).response["violations"]
        said = [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"][:3]]
        assert said == [], self.page.url

    def _note_request(self, url: str) -> None:
        if not url.startswith(self.url):
            self.foreign.append(url)
