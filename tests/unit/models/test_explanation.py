"""Explanations: figures on the words of the original text, and words that carry the verdict."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from core.errors import UsageError
from models.checkpoints import STARTER, load_checkpoint, resolve
from models.explanation import Explanation, explain
from models.inference import Classifier

Explain = Callable[..., Explanation]

SENTENCES = {
    "zh": [
        "等了一个半小时才送到，饭都凉了，太差了。",
        "房间很干净，前台热情，下次还会住这里。",
        "买回来第二天就坏了，客服一直推脱，真让人生气。",
        "口味正宗，分量很足，老板人也好，非常满意。",
        "飞机又晚点了，行李还弄丢了，气死我了。",
        "音质清晰，佩戴舒服，是我买过最好的耳机。",
    ],
    "en": [
        "The food was cold and the waiter was rude, I hate this place.",
        "I love this phone, the camera is amazing and the battery lasts forever.",
        "Worst flight ever, they lost my luggage and nobody said sorry.",
        "What a great concert, the band was fantastic and we had so much fun.",
        "My laptop broke again, this is so annoying and sad.",
        "Happy birthday to the best sister in the world, I love you!",
    ],
}


@pytest.fixture(scope="module")
def tiny(checkpoint: Path) -> Explain:
    return explainer(checkpoint, max_length=16)


@pytest.fixture(scope="module")
def starter() -> Explain:
    return explainer(STARTER, max_length=256)


def explainer(checkpoint: str | Path, max_length: int) -> Explain:
    model, tokenizer = load_checkpoint(resolve(checkpoint))
    classifier = Classifier.load(checkpoint, device="cpu", max_length=max_length)
    return lambda text, **options: explain(
        model, tokenizer, text, classify=classifier.classify, max_length=max_length, **options
    )


@pytest.mark.parametrize("lang", SENTENCES)
def test_the_words_named_carry_the_verdict(starter: Explain, lang: str) -> None:
    """Without the words that the shipped model is said to rest on, its score falls far more than without others."""
    checks = [found.deletion for text in SENTENCES[lang] if (found := starter(text))]
    named = sum(check.aopc for check in checks if check) / len(checks)
    random = sum(check.aopc_random for check in checks if check) / len(checks)
    assert named > 1.5 * random
    assert named > random + 0.05


def test_the_telling_word_is_found(starter: Explain) -> None:
    """The word that a person would underline comes first, by the method that is used unless another is asked for."""
    found = starter("I bought this phone on Monday and it is terrible.", label="negative")
    assert [word.text for word in found.top(1)] == ["terrible"]


@pytest.mark.parametrize(
    "text",
    [
        "good tea, bad coffee",
        "  很好 bank\n\nphone  ",
        "Ｂａｎｋ 服务 ①②③ ﬁne",
        "bad\x1b[31mservice\u202egood",
        "good 😡👍🏽 好",
        "price " * 60,
    ],
)
def test_words_are_those_of_the_original_text(tiny: Explain, text: str) -> None:
    """Spans index the text as it came, in order, without overlap; nothing but white space lies between them."""
    found = tiny(text)
    at = 0
    for word in found.tokens:
        assert word.start >= at
        assert not text[at : word.start].strip()
        assert word.text == text[word.start : word.end] == word.text.strip() != ""
        at = word.end
    assert not text[at:].strip()


def test_pieces_make_words_where_a_script_puts_spaces(tiny: Explain) -> None:
    """English pieces are put together, with their apostrophes; Chinese pieces stay what the tokenizer found."""
    words = [word.text for word in tiny("couldn't wonderfully 很好很差 bank").tokens]
    assert {"couldn't", "wonderfully", "bank"} <= set(words)
    assert "很好很差" not in words


def test_a_long_text_is_explained_to_its_end(tiny: Explain) -> None:
    """Words of the last window have figures, too."""
    found = tiny("tea " * 50 + "bad")
    assert found.tokens[-1].text == "bad"
    assert found.tokens[-1].attribution != 0.0


def test_any_class_of_any_head_can_be_explained(tiny: Explain) -> None:
    """The verdict is explained unless another class is named; what speaks for one speaks against others."""
    verdict = tiny("good tea", head="topic")
    assert verdict.score == max(
        tiny("good tea", head="topic", label=name).score for name in ("finance", verdict.label)
    )
    other = tiny("good tea", label="negative")
    assert (other.head, other.label) == ("sentiment", "negative")


def test_an_unknown_class_is_named_with_the_known_ones(tiny: Explain) -> None:
    """A typing error gets the list."""
    with pytest.raises(UsageError, match="no class angry") as error:
        tiny("good tea", label="angry")
    assert error.value.remedy == "negative, neutral, positive"


@pytest.mark.parametrize("text", ["", " \n", "tea"])
def test_too_little_to_explain_is_no_error(tiny: Explain, text: str) -> None:
    """A document without words gets a score and no check."""
    found = tiny(text)
    assert found.deletion is None
    assert [word.text for word in found.tokens] == text.split()


def test_json_says_class(tiny: Explain) -> None:
    """The contracted names: text, head, class, score, tokens, method, model_version, deletion."""
    body = msgspec.to_builtins(tiny("good tea, bad coffee"))
    assert set(body) == {"text", "head", "class", "score", "tokens", "method", "model_version", "deletion"}
    assert set(body["tokens"][0]) == {"text", "start", "end", "attribution"}
    assert set(body["deletion"]) == {"aopc", "aopc_random", "draws", "steps"}
