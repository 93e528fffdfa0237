"""A reclassification in a process of its own, to be killed: `python -m tests.support.rescoring URL SINCE`."""

import sys
from collections.abc import Sequence
from datetime import datetime

from core.records import Opinion
from opinion.reclassifying import Pace, Reclassification
from storage.engine import connect
from storage.reclassifications import Wanted
from tests.support.records import WordClassifier


class NewClassifier(WordClassifier):
    """Another model: it calls negative what says "fine", and has another topic."""

    version = "words-2"

    def _opinion(self, is_bad: bool) -> Opinion:
        found = super()._opinion(is_bad)
        return Opinion(
            topic_label="sports",
            topic_scores={"sports": 0.75, "finance": 0.25},
            sentiment=found.sentiment,
            sentiment_scores=found.sentiment_scores,
            model_version=self.version,
        )

    def classify(self, texts: Sequence[str]) -> list[Opinion]:
        return super().classify([text.replace("fine", "bad") for text in texts])


def main() -> None:
    """Ten pages a second, so that there is time to be killed."""
    engine = connect(sys.argv[1])
    wanted = Wanted(NewClassifier.version, datetime.fromisoformat(sys.argv[2]))
    Reclassification(engine, wanted, load=NewClassifier, pace=Pace(rate=20)).run()


if __name__ == "__main__":
    main()
