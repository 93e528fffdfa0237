import pytest

from core.scripts import script_of


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("今天天气不错。", "han"),
        ("The service was terrible.", "other"),
        ("#iPhone17ProMax http://t.cn/A6abcdef 又降价了，真香", "han"),
        ("A post that quotes one word, 加油, of another language", "other"),
        ("", "other"),
        ("😡😡", "other"),
    ],
)
def test_mixed_texts_go_by_their_share_of_han(text: str, script: str) -> None:
    """A Chinese post stays Chinese with a tag and a link in it; a quoted word does not make an English one so."""
    assert script_of(text) == script


def test_only_the_beginning_of_an_article_is_read() -> None:
    """Telling the script costs the same for any length."""
    assert script_of("好" * 200 + "x" * 100_000) == "han"
