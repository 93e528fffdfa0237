"""The classes of the two heads. The order is the class index of a checkpoint trained here."""

from typing import Final, Literal, get_args

Sentiment = Literal["negative", "neutral", "positive"]
Head = Literal["topic", "sentiment"]

SENTIMENTS: Final[tuple[Sentiment, ...]] = get_args(Sentiment)
HEADS: Final[tuple[Head, ...]] = get_args(Head)

TOPIC_NAMES_ZH: Final[dict[str, str]] = {
    "finance": "财经",
    "stocks": "股票",
    "realestate": "房产",
    "technology": "科技",
    "society": "社会民生",
    "politics_world": "时政国际",
    "military": "军事",
    "sports": "体育",
    "entertainment": "娱乐",
    "education": "教育",
    "automobile": "汽车",
    "health": "健康",
    "game": "游戏",
    "travel": "旅游",
    "agriculture": "三农",
    "culture": "文化历史",
    "lifestyle_consumer": "消费生活",
}
TOPICS: Final[tuple[str, ...]] = tuple(TOPIC_NAMES_ZH)

UNCERTAIN_BELOW: Final = 0.5
"""An answer whose calibrated score is lower is uncertain: the model itself takes it for more likely wrong than right.
How much is won by it is on the model card and in docs/why/classification.md."""

CLASSES: Final[dict[Head, tuple[str, ...]]] = {"topic": TOPICS, "sentiment": SENTIMENTS}
