"""Unigram vocabularies: as a fast tokenizer, and trimmed, with their encoder, to the pieces that texts need.

Four fifths of a small multilingual encoder are embeddings of languages that nobody here reads.
"""

import io
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from core.errors import CheckpointError
from models.tokenizer import LINK, NAME

TEXTS_AT_ONCE: Final = 4096
LINK_WORD, NAME_WORD = " link ", " @user "
SPECIAL_TOKENS: Final = ("cls_token", "sep_token", "pad_token", "unk_token")
FEWEST_USES: Final = 2  # of a character; one that occurs once teaches nothing


@dataclass(frozen=True)
class Pieces:
    """A Unigram vocabulary.

    Attributes:
        scored: piece and log probability, in the order of the embedding's rows.
        first, last, pad, unknown: positions of the special pieces.
    """

    scored: list[tuple[str, float]]
    first: int
    last: int
    pad: int
    unknown: int

    @property
    def special(self) -> list[int]:
        """Rows of the special pieces, in order: padding keeps its row, by which some encoders count positions."""
        return sorted({self.first, self.pad, self.last, self.unknown})

    def only(self, kept: Sequence[int]) -> "Pieces":
        """These rows, in this order; the special pieces must be among them."""
        place = {row: position for position, row in enumerate(kept)}
        return Pieces(
            [self.scored[row] for row in kept],
            first=place[self.first],
            last=place[self.last],
            pad=place[self.pad],
            unknown=place[self.unknown],
        )


def unigram_tokenizer(pieces: Pieces, max_length: int, *, folds: bool = False) -> PreTrainedTokenizerFast:
    """A fast tokenizer that writes `<s> text </s>`.

    Args:
        folds: read capitals as small letters, traditional characters as simplified ones, and any link or user name
            as one word: fewer pieces, and the same verdict for the same words. Otherwise only NFKC, as XLM-R does.

    Raises:
        CheckpointError: `folds` needs packages that are not installed.
    """
    names = [piece for piece, _ in pieces.scored]
    tokenizer = Tokenizer(Unigram(list(pieces.scored), unk_id=pieces.unknown, byte_fallback=False))
    steps = [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")]
    if folds:
        # On lower-cased text: the expressions know small letters only.
        folding = [normalizers.Lowercase(), simplified_characters()]
        steps[1:1] = [*folding, normalizers.Replace(LINK, LINK_WORD), normalizers.Replace(NAME, NAME_WORD)]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    first, last = names[pieces.first], names[pieces.last]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} $B {last}",
        special_tokens=[(first, pieces.first), (last, pieces.last)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=first,
        cls_token=first,
        eos_token=last,
        sep_token=last,
        pad_token=names[pieces.pad],
        unk_token=names[pieces.unknown],
        mask_token=names[pieces.unknown],
        model_max_length=max_length,
    )


def needed_rows(pieces: Pieces, texts: Iterable[str], wanted: int) -> list[int]:
    """The rows of the `wanted` pieces that `texts` need most, special ones first.

    Every character that occurs at least `FEWEST_USES` times stays, so that a word whose piece is gone can still be
    spelt; the rest goes by how often a piece is used in the full vocabulary.
    """
    tokenizer = unigram_tokenizer(pieces, 10_000, folds=True)
    uses: Counter[int] = Counter()
    characters: Counter[str] = Counter()
    for chunk in _chunks(texts):
        for ids in tokenizer(chunk, add_special_tokens=False, verbose=False)["input_ids"]:
            uses.update(ids)
        for text in chunk:
            characters.update(tokenizer.backend_tokenizer.normalizer.normalize_str(text))
    rows = {piece: row for row, (piece, _) in enumerate(pieces.scored)}
    spelling = [rows[c] for c, count in characters.most_common() if count >= FEWEST_USES and c in rows]
    frequent = [row for row, _ in uses.most_common()]
    return list(dict.fromkeys([*pieces.special, *spelling, *frequent]))[:wanted]


def trim(
    encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Iterable[str], wanted: int
) -> PreTrainedTokenizerFast:
    """Leave `encoder`, in place, the embeddings of the `wanted` pieces that `texts` need most.

    Returns:
        The tokenizer that goes with it; it folds, see `unigram_tokenizer`.

    Raises:
        CheckpointError: the tokenizer is not a Unigram one, or packages are missing.
    """
    pieces = pieces_of(tokenizer)
    rows = needed_rows(pieces, texts, wanted)
    embeddings = encoder.get_input_embeddings()
    smaller = torch.nn.Embedding(len(rows), embeddings.embedding_dim, padding_idx=rows.index(pieces.pad))
    with torch.no_grad():
        smaller.weight.copy_(embeddings.weight[rows])
    encoder.set_input_embeddings(smaller)
    kept = pieces.only(rows)
    encoder.config.vocab_size, encoder.config.pad_token_id = len(rows), kept.pad
    return unigram_tokenizer(kept, int(tokenizer.model_max_length), folds=True)


def pieces_of(tokenizer: PreTrainedTokenizerBase) -> Pieces:
    """Raises:
    CheckpointError: the tokenizer is not a Unigram one.
    """
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    if model["type"] != "Unigram":
        raise CheckpointError(
            f"the base has a {model['type']} tokenizer, and only Unigram vocabularies can be trimmed",
            remedy="leave `vocabulary` out: all pieces are kept then",
        )
    lacking = [name for name in SPECIAL_TOKENS if getattr(tokenizer, name) is None]
    if lacking:
        raise CheckpointError(
            f"the base's tokenizer has no {' and no '.join(lacking)}, which a trimmed one needs",
            remedy="leave `vocabulary` out: all pieces are kept then",
        )
    return Pieces(
        [(piece, score) for piece, score in model["vocab"]],
        first=tokenizer.cls_token_id,
        last=tokenizer.sep_token_id,
        pad=tokenizer.pad_token_id,
        unknown=tokenizer.unk_token_id,
    )


def simplified_characters() -> normalizers.Normalizer:
    """Traditional characters to simplified ones, one for one (OpenCC's table), as a step that a tokenizer file holds.

    Raises:
        CheckpointError: the packages that the table is made with are not installed.
    """
    try:
        import opencc
        import sentencepiece
        from sentencepiece import sentencepiece_model_pb2
    except ImportError as error:
        raise CheckpointError(
            f"a vocabulary cannot be trimmed without the package {error.name}",
            remedy="pip install 'opinion-pipeline[base]'",
        ) from error
    table = Path(opencc.__file__).parent / "dictionary" / "TSCharacters.txt"
    pairs = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()]
    rules = [(key, values.split(" ")[0]) for key, values in pairs]
    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
        file.writelines(f"{ord(a):X}\t{ord(b):X}\n" for a, b in rules if a != b and len(a) == len(b) == 1)
        file.flush()
        # Only a trained model carries the compiled table; the model itself is thrown away.
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a b c d"] * 10),
            model_writer=model,
            vocab_size=10,
            hard_vocab_limit=False,
            normalization_rule_tsv=file.name,
            minloglevel=2,
        )
    parsed = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    return normalizers.Precompiled(parsed.normalizer_spec.precompiled_charsmap)


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for text in texts:
        chunk.append(text)
        if len(chunk) == TEXTS_AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
