"""Is an article negative when its bad news stands at the end, and calm when there is none?

    python -m benchmarks.long_text [--checkpoint starter] [--windows 64 128] [--scores 0.6 0.7 0.8 0.9]

Articles of some 4,900 characters are strung together from neutral rows of the labelled data (and, as harder ones,
from news whose tone nobody labelled), with and without one negative paragraph (250 characters, Chinese 120) at the
end, in the middle or at the beginning. Prints, for each way to pool the windows, the share judged negative; beside
it how many of the paragraphs alone are judged negative, which bounds what pooling can find. A score of 1.1 lets no
window decide: the mean. Writes var/bench/long_text.json.
"""

import argparse
import gzip
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from core.logs import configure_logs
from core.settings import ModelSettings
from models.inference import Classifier

DATA = Path("../shared/data")
CHARS, PARAGRAPH_CHARS = 4900, {"en": 250, "zh": 120}
OFF = 1.1  # no score is as high: the mean over all windows
BODIES = {
    "en finance": ("sentiment/financial_phrasebank.test", "neutral"),
    "en news": ("topic/ag_news.test", None),
    "zh bank": ("sentiment/bank_comments.test", "neutral"),
    "zh car": ("sentiment/bdci2018_car.test", "neutral"),
    "zh headlines": ("topic/thucnews_titles.test", None),
}
BAD_NEWS = {
    "en": ("sentiment/financial_phrasebank.test", "sentiment/semeval_tweets.test"),
    "zh": ("sentiment/finnsp.test", "sentiment/online_shopping_10.test", "sentiment/hotel_reviews.test"),
}
PLACES = ("nowhere", "end", "middle", "beginning")


def texts(name: str, sentiment: str | None) -> list[str]:
    path = DATA / f"{name}.jsonl.gz"
    if not path.is_file():
        print(f"skipped: the labelled data are not here ({path})")
        sys.exit(0)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = map(json.loads, lines)
        return [row["text"] for row in rows if sentiment is None or row["sentiment"] == sentiment]


def strung(source: list[str], chars: int, mark: str, dice: random.Random) -> Iterator[str]:
    while chars > 0:
        sentence = dice.choice(source) + mark
        chars -= len(sentence)
        yield sentence


def articles(body: str, count: int) -> dict[str, list[str]]:
    """By the place of the bad news; `alone` holds the paragraphs themselves."""
    dice, language = random.Random(1), body[:2]
    mark = ". " if language == "en" else "。"
    calm, bad = texts(*BODIES[body]), [texts(name, "negative") for name in BAD_NEWS[language]]
    made: dict[str, list[str]] = {place: [] for place in (*PLACES, "alone")}
    for _ in range(count):
        sentences = list(strung(calm, CHARS, mark, dice))
        paragraph = "".join(strung(dice.choice(bad), PARAGRAPH_CHARS[language], mark, dice))
        middle = len(sentences) // 2
        made["alone"].append(paragraph)
        made["nowhere"].append("".join(sentences))
        made["end"].append("".join([*sentences, paragraph]))
        made["middle"].append("".join([*sentences[:middle], paragraph, *sentences[middle:]]))
        made["beginning"].append("".join([paragraph, *sentences]))
    return made


def main() -> None:
    defaults = ModelSettings()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default=defaults.checkpoint)
    parser.add_argument("--articles", type=int, default=30)
    parser.add_argument("--windows", type=int, nargs="+", default=[defaults.window_tokens])
    parser.add_argument("--scores", type=float, nargs="+", default=[OFF, defaults.decisive_score])
    arguments = parser.parse_args()
    configure_logs("warning")
    made = {body: articles(body, arguments.articles) for body in BODIES}
    figures: list[dict[str, object]] = []
    print(f"{'':26}" + "".join(f"{place:>12}" for place in made["en news"]))
    for window in arguments.windows:
        for score in arguments.scores:
            settings = ModelSettings(window_tokens=window, decisive_score=score, cache_entries=0)
            classifier = Classifier.configured(settings, arguments.checkpoint)
            for body, places in made.items():
                opinions = {place: classifier.classify(found) for place, found in places.items()}
                shares = {
                    place: sum(opinion.sentiment == "negative" for opinion in found) / len(found)
                    for place, found in opinions.items()
                }
                figures.append({"window": window, "score": score, "body": body, **shares})
                print(f"{window:4} {score:4} {body:16}" + "".join(f"{share:12.2f}" for share in shares.values()))
    out = Path("var/bench/long_text.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"checkpoint": classifier.version, "figures": figures}, indent=1))


if __name__ == "__main__":
    main()
