"""The stream of the contest: seven tweets to one article, English, shuffled by a seed.

No text is longer than one window of the model, so that nobody cuts any and all compute the same tokens.
"""

import gzip
import json
import random
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

from transformers import PreTrainedTokenizerBase

DATA = Path("../shared/data")
TWEETS = DATA / "sentiment" / "semeval_tweets.test.jsonl.gz"
NEWS = DATA / "topic" / "ag_news.test.jsonl.gz"

TWEETS_TO_ONE_ARTICLE = 7
WINDOW_TOKENS = 256
ARTICLE_TOKENS = (160, WINDOW_TOKENS)
WORDS = ("price", "phone", "service", "great", "terrible", "they never answer", "again", "my bank", "today", "so")
TWEET_WORDS, NEWS_WORDS = (4, 24), (20, 50)


def mixed_stream(tokenizer: PreTrainedTokenizerBase, size: int, seed: int = 5) -> list[str]:
    """`size` texts, all different, always the same for a seed.

    Taken from the labelled data beside the checkout; where there are none, words are strung together.
    """
    dice = random.Random(seed)
    tweets, news = _texts(TWEETS, TWEET_WORDS, dice), _texts(NEWS, NEWS_WORDS, dice)
    articles = size // (TWEETS_TO_ONE_ARTICLE + 1)
    texts = [*islice(tweets, size - articles), *(_article(news, tokenizer, dice) for _ in range(articles))]
    dice.shuffle(texts)
    return texts


def record(key: str, text: str) -> tuple[bytes, bytes]:
    """Key and value as a crawler writes them."""
    return key.encode(), json.dumps({"id": key, "source": "bench", "text": text}).encode()


def _texts(path: Path, words: tuple[int, int], dice: random.Random) -> Iterator[str]:
    if not path.is_file():
        for number in count():
            yield " ".join([*dice.choices(WORDS, k=dice.randint(*words)), str(number)])
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        found = [json.loads(line)["text"] for line in lines]
    dice.shuffle(found)
    yield from found


def _article(news: Iterator[str], tokenizer: PreTrainedTokenizerBase, dice: random.Random) -> str:
    """News strung together until they have so many tokens, less the words that are too many."""
    wanted, words = dice.randint(*ARTICLE_TOKENS), next(news).split()
    while (tokens := len(tokenizer(" ".join(words))["input_ids"])) < wanted:
        words += next(news).split()
    while tokens > wanted:
        words = words[: -max(1, (tokens - wanted) // 2)]
        tokens = len(tokenizer(" ".join(words))["input_ids"])
    return " ".join(words)
