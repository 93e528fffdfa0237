import sys
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from core.errors import CheckpointError
from models.bases import load_base
from models.vocabulary import Pieces, needed_rows, pieces_of, trim, unigram_tokenizer
from tests.support import encoders

SPECIAL = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
WORDS = [
    ("▁good", -2.0),
    ("▁tea", -2.0),
    ("▁coffee", -2.0),
    ("很好", -2.0),
    ("台湾", -2.0),
    ("▁link", -2.0),
    ("user", -3.0),
]
LETTERS = [(letter, -6.0) for letter in "▁abcdefghijklmnopqrstuvwxyz@很好台湾服务"]
PIECES = Pieces([*SPECIAL, *WORDS, *LETTERS], first=0, pad=1, last=2, unknown=3)


def spelt(tokenizer: PreTrainedTokenizerFast, text: str) -> list[str]:
    return list(tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False)["input_ids"]))


def test_words_and_characters_that_texts_need_stay() -> None:
    """First the special pieces, then what spells every repeated character, then words by their use."""
    rows = needed_rows(PIECES, ["good tea", "good tea", "good 好"] * 2, wanted=100)
    kept = [PIECES.scored[row][0] for row in rows]
    assert kept[:4] == ["<s>", "<pad>", "</s>", "<unk>"]
    assert {"▁good", "▁tea", "g", "o", "d", "t", "e", "a", "好"} <= set(kept)
    assert not {"▁coffee", "很好", "服", "f"} & set(kept)
    assert kept.index("▁good") < kept.index("▁tea")


def test_no_more_pieces_stay_than_wanted() -> None:
    """The size of the embeddings is what the recipe says, at most."""
    assert len(needed_rows(PIECES, ["good tea 很好 台湾"] * 3, wanted=9)) == 9


def test_a_trimmed_encoder_keeps_each_piece_its_vector(tmp_path: Path) -> None:
    """Rows move, vectors do not change, and the config says the new size."""
    encoder, tokenizer = load_base(encoders.xlm_roberta(tmp_path))
    before = {
        piece: encoder.get_input_embeddings().weight[row].clone() for piece, row in tokenizer.get_vocab().items()
    }
    smaller = trim(encoder, tokenizer, ["good tea 很好"] * 3, 300)
    weights = encoder.get_input_embeddings().weight
    assert encoder.config.vocab_size == len(weights) == len(smaller) < len(tokenizer)
    for piece, row in smaller.get_vocab().items():
        assert weights[row].equal(before[piece]), piece


def test_a_trimmed_encoder_reads_kept_words_as_before(tmp_path: Path) -> None:
    """For texts of kept pieces, nothing but the size changes."""
    encoder, tokenizer = load_base(encoders.xlm_roberta(tmp_path))
    with torch.inference_mode():
        before = encoder(**tokenizer("good tea", return_tensors="pt")).last_hidden_state
        smaller = trim(encoder, tokenizer, ["good tea"] * 3, 300)
        after = encoder(**smaller("good tea", return_tensors="pt")).last_hidden_state
    assert torch.allclose(before, after, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("GOOD Tea", ["▁good", "▁tea"]),
        ("ｇｏｏｄ\u3000ｔｅａ", ["▁good", "▁tea"]),
        ("臺灣", ["▁", "台湾"]),
        ("good https://t.cn/Ab1?x=2 tea", ["▁good", "▁link", "▁tea"]),
        ("good @Some_One9 tea", ["▁good", "▁", "@", "user", "▁tea"]),
    ],
)
def test_writing_that_says_the_same_becomes_the_same_pieces(text: str, pieces: list[str]) -> None:
    """Capitals, full-width forms, traditional script, links and names cost no pieces of their own."""
    assert spelt(unigram_tokenizer(PIECES, 64, folds=True), text) == pieces


def test_a_whole_vocabulary_is_not_folded() -> None:
    """A base reads as it was trained to; only NFKC is applied, as XLM-R does."""
    tokenizer = unigram_tokenizer(PIECES, 64)
    assert tokenizer("GOOD")["input_ids"] != tokenizer("good")["input_ids"]
    assert tokenizer("ｇｏｏｄ")["input_ids"] == tokenizer("good")["input_ids"]


def test_a_folding_tokenizer_survives_its_file(tmp_path: Path) -> None:
    """The table of characters travels in tokenizer.json: readers need no extra package."""
    unigram_tokenizer(PIECES, 64, folds=True).save_pretrained(tmp_path)
    again = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert spelt(again, "臺灣 GOOD") == ["▁", "台湾", "▁good"]


def test_a_tokenizer_of_words_is_refused(tmp_path: Path) -> None:
    """WordPiece and BPE build words by rules that a smaller vocabulary would break."""
    _, tokenizer = load_base(encoders.bert(tmp_path))
    with pytest.raises(CheckpointError, match="WordPiece tokenizer, and only Unigram") as caught:
        pieces_of(tokenizer)
    assert "leave `vocabulary` out" in str(caught.value.remedy)


def test_a_tokenizer_without_first_piece_is_refused(tmp_path: Path) -> None:
    """T5's kind has none, and texts could not be framed as its encoder expects."""
    _, tokenizer = load_base(encoders.xlm_roberta(tmp_path))
    tokenizer.cls_token = None
    with pytest.raises(CheckpointError, match="has no cls_token"):
        pieces_of(tokenizer)


@pytest.mark.parametrize("package", ["opencc", "sentencepiece"])
def test_a_missing_package_is_said_with_the_command(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of characters is made with packages of the extra."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(CheckpointError, match=package) as caught:
        unigram_tokenizer(PIECES, 64, folds=True)
    assert caught.value.remedy == "pip install 'opinion-pipeline[base]'"
