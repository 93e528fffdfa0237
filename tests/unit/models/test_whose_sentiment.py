"""The shipped checkpoint tells who in a sentence is spoken of badly; the sentences are this project's own."""

import pytest

from models.inference import Classifier
from models.targets import mentions_of, readings

# (sentence, who comes off badly, who does not)
SENTENCES = [
    ("远航汽车起诉蓝石电池，蓝石电池股价大跌10%", "蓝石电池", "远航汽车"),
    ("云雀手机口碑爆棚，完胜问题不断的飞星手机", "飞星手机", "云雀手机"),
    ("绿源奶粉因细菌超标紧急召回，家长纷纷改买安心奶粉", "绿源奶粉", "安心奶粉"),
    ("东湖银行净利润增长三成，西山银行却陷入巨额亏损", "西山银行", "东湖银行"),
    ("法院判决明达胜诉，康泰需赔偿五千万元", "康泰", "明达"),
    ("轻舟浏览器又快又好用，迅风浏览器天天卡死，太垃圾了", "迅风浏览器", "轻舟浏览器"),
    ("Orvane sues Teltrix, Teltrix falls 10 %", "Teltrix", "Orvane"),
    ("The new Kestrel phone is wonderful, while the Bramble phone keeps crashing.", "Bramble", "Kestrel"),
    ("Northmill recalls its baby food after illness reports; parents switch to Sunnydale.", "Northmill", "Sunnydale"),
    ("Halden Bank posts record profit as Corvin Bank sinks into heavy losses.", "Corvin Bank", "Halden Bank"),
    ("I love Mirelle coffee but Dunstan coffee tastes awful.", "Dunstan", "Mirelle"),
    ("Regulators fined Paxton for fraud and praised Elmswood for its honesty.", "Paxton", "Elmswood"),
]
MOST_WRONG = 2


@pytest.fixture(scope="module")
def starter() -> Classifier:
    classifier = Classifier.load("starter", device="cpu", cache_entries=0)
    if not classifier.reads_targets:
        pytest.skip(f"{classifier.version} was trained before there was a mark for targets")
    return classifier


def test_who_comes_off_badly_is_told_from_who_does_not(starter: Classifier) -> None:
    """Asked about each name of the same sentence, the score of negative is higher for the one it is bad for."""
    asked = [readings(text, mentions_of(text, name)) for text, *names in SENTENCES for name in names]
    scores = [sum(opinion.sentiment_scores["negative"] for opinion in starter.classify(read)) for read in asked]
    pairs = zip(SENTENCES, scores[::2], scores[1::2], strict=True)
    wrong = [(text, bad, other) for (text, *_), bad, other in pairs if bad <= other]
    assert len(wrong) <= MOST_WRONG, wrong
