import pytest
from transformers import PreTrainedTokenizerFast

from models.recipe import TokenizerSettings
from models.tokenizer import LINK_MARK, NAME_MARK, UNKNOWN, train_tokenizer

TEXTS = [
    "银行下调利率，银行股上涨",
    "Banks cut rates and bank shares rise",
    "看 https://t.cn/abc?d=1 @Some_body",
    f"x{LINK_MARK}{NAME_MARK}",
] * 20


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(TEXTS, TokenizerSettings(pieces=300, max_piece_chars=6), max_length=32)


def pieces(tokenizer: PreTrainedTokenizerFast, text: str) -> list[str]:
    return list(tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]))


def test_frequent_chinese_words_are_one_token(tokenizer: PreTrainedTokenizerFast) -> None:
    """Sequences of words are half as long as sequences of characters."""
    assert "银行" in pieces(tokenizer, "银行下调利率")


def test_width_and_case_do_not_matter(tokenizer: PreTrainedTokenizerFast) -> None:
    """Full-width and capital letters are the same word."""
    assert tokenizer("ＢＡＮＫＳ Cut")["input_ids"] == tokenizer("banks cut")["input_ids"]


def test_links_and_handles_become_one_mark_each(tokenizer: PreTrainedTokenizerFast) -> None:
    """There is no end of them, and what they say is that there is one."""
    assert (
        tokenizer("看 http://other.example/long/path @another")["input_ids"]
        == tokenizer("看 www.x.y @z")["input_ids"]
    )


def test_the_words_after_a_chinese_name_are_kept(tokenizer: PreTrainedTokenizerFast) -> None:
    """No space ends a Chinese name, so only Latin handles are replaced."""
    assert "银行" in pieces(tokenizer, "@小明银行")


def test_an_unseen_character_is_unknown_and_not_lost(tokenizer: PreTrainedTokenizerFast) -> None:
    """Every text can be read, also in a script nobody trained on."""
    assert UNKNOWN in pieces(tokenizer, "ไทย")


def test_every_text_begins_with_the_start_token(tokenizer: PreTrainedTokenizerFast) -> None:
    """Even an empty text has one token to pool."""
    assert pieces(tokenizer, "") == [tokenizer.cls_token]
