"""Turns `phrases.yaml` into posts that read like people wrote them."""

from collections.abc import Iterator
from importlib.resources import files
from random import Random
from typing import Any, Literal

import yaml

from core.taxonomy import Sentiment

Lang = Literal["zh", "en"]


class Phrases:
    """Texts by brand, language and mood. Two with generators of equal seeds say the same."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._words: dict[str, Any] = yaml.safe_load(
            files("opinion.demo").joinpath("phrases.yaml").read_text(encoding="utf-8")
        )
        self._decks: dict[int, Iterator[str]] = {}

    @property
    def brands(self) -> list[str]:
        return list(self._words["brands"])

    @property
    def news(self) -> list[dict[str, str]]:
        """Articles of an ordinary day: `brand`, `lang`, `title`, `text`."""
        return list(self._words["news"])

    def headline(self, event: str, lang: Lang) -> dict[str, str]:
        """The article that starts an event (`scandal` or `launch`): `title`, `text`, perhaps `correction`."""
        return dict(self._words[event]["news"][lang])

    def author(self, lang: Lang) -> str:
        return str(self._random.choice(self._words["authors"][lang]))

    def say(self, brand: str, lang: Lang, mood: Sentiment, event: str | None = None) -> str:
        """One comment or post; with `event`, about that event."""
        words = self._words
        bodies = words[event]["bodies"] if event else words["bodies"][brand]
        around = words[event]["around"][lang].get(mood) if event else None
        around = around or words["around"][lang][mood]
        opening = self._deal(around["opening"])
        body = self._fill(self._deal(bodies[lang][mood]), brand, lang)
        ending = self._deal(around["ending"])
        if not body.endswith((".", "?", "!", "。", "？")):
            body += "，" if ending else "。"
        return f"{opening}{body}{ending}"

    def _fill(self, body: str, brand: str, lang: Lang) -> str:
        words = self._words["brands"][brand]
        product, shop = (self._random.choice(words[slot][lang]) for slot in ("product", "shop"))
        return body.format(product=product, shop=shop)

    def _deal(self, choices: list[str]) -> str:
        """The next of a shuffled deck, so that no phrase comes twice before each came once."""
        if id(choices) not in self._decks:
            self._decks[id(choices)] = self._shuffled_for_ever(choices)
        return next(self._decks[id(choices)])

    def _shuffled_for_ever(self, choices: list[str]) -> Iterator[str]:
        while True:
            yield from self._random.sample(choices, len(choices))
