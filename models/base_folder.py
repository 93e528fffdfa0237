"""multilingual-e5-small as a folder that `transformers` reads, for machines that reach no model hub."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from transformers.utils import logging as transformers_logging

from core.errors import UsageError
from models.base_figures import Agreement, Paraphrases, engine_agreement, paraphrases
from models.checkpoints import CARD_FILE
from models.e5_small import PACKAGE, packed_file, read_packed, unpacked
from models.manifest import VERSION_FILE
from models.shrinking import keep_layers
from models.vocabulary import trim

STEPS: Final = ("reading the package", "comparing with its engine", "trimming", "measuring paraphrases", "writing")


@dataclass(frozen=True)
class BuiltBase:
    """A finished base, and how much of the original is in it.

    Attributes:
        layers, pieces, parameters: how big it is.
        is_trimmed: pieces were left out, and texts are folded (see `models.vocabulary.unigram_tokenizer`).
        rounding: see `models.e5_small.PackedE5`.
        engine: of the whole encoder, before layers or pieces were left out; None where the engine does not run.
        paraphrases: of the base as it was written.
    """

    folder: Path
    layers: int
    pieces: int
    parameters: int
    is_trimmed: bool
    rounding: float
    engine: Agreement | None
    paraphrases: Paraphrases


def build_base(
    out: Path,
    *,
    layers: int | None = None,
    vocabulary: int | None = None,
    texts: Iterable[str] = (),
    on_step: Callable[[str], None] = lambda _: None,
) -> BuiltBase:
    """Write encoder, tokenizer and card to `out`. Blocks for half a minute and more, by the number of texts.

    Args:
        layers: so many are kept, the lowest ones; all if absent.
        vocabulary: so many pieces are kept, those that `texts` need most; all if absent.
        on_step: hears each of `STEPS` before it begins.

    Raises:
        CheckpointError: the extra `base` is not installed.
        UsageError: `out` holds a trained classifier, or the encoder has fewer layers.
    """
    if out.is_file() or (out / VERSION_FILE).exists():
        raise UsageError(f"{out} holds something else than a base", remedy="name another folder with --out")
    steps = iter(STEPS)
    on_step(next(steps))
    packed = read_packed(packed_file())
    encoder, tokenizer = unpacked(packed)
    on_step(next(steps))
    engine = engine_agreement(encoder, tokenizer)
    on_step(next(steps))
    if layers is not None:
        keep_layers(encoder, layers)
    if vocabulary is not None:
        tokenizer = trim(encoder, tokenizer, texts, vocabulary)
    on_step(next(steps))
    measured = paraphrases(encoder, tokenizer)
    on_step(next(steps))
    transformers_logging.disable_progress_bar()  # the weights are written in a second or two
    encoder.save_pretrained(out)
    tokenizer.save_pretrained(out)
    built = BuiltBase(
        folder=out,
        layers=encoder.config.num_hidden_layers,
        pieces=len(tokenizer),
        parameters=encoder.num_parameters(),
        is_trimmed=vocabulary is not None,
        rounding=packed.rounding,
        engine=engine,
        paraphrases=measured,
    )
    (out / CARD_FILE).write_text(base_card(built), encoding="utf-8")
    return built


def base_card(built: BuiltBase) -> str:
    """What a person needs to know before using it, as Markdown with the front matter of model hubs."""
    figures = built.paraphrases
    folds = (
        "Pieces that the given texts do not need were left out, and the tokenizer reads capitals as small letters, "
        "traditional characters as simplified ones, and any link or user name as one word.\n"
        if built.is_trimmed
        else ""
    )
    return f"""---
license: mit
base_model: intfloat/multilingual-e5-small
library_name: transformers
---

# multilingual-e5-small, out of 4 bits

An encoder of {built.layers} layers, {built.pieces:,} pieces and {built.parameters:,} weights to fine-tune a
classifier from, written by `opinion models base`. The weights come from the pip package `{PACKAGE}` (MIT), which
carries intfloat/multilingual-e5-small (MIT; Wang et al. 2024, "Multilingual E5 Text Embeddings") in 4 bits; they were
read back into float32.
{folds}
## How faithful it is

- **Rounding.** Each block of 32 weights shares a scale and keeps 4 bits a weight. What that took away is estimated at
  {built.rounding:.1%} of the weights' size (root mean squares), from the steps of the blocks; the original is not at
  hand to compare with.
- **Reading.** {_engine_line(built.engine)}

| sentences | cosine of the same statement | of another | nearest is the same |
|---|---|---|---|
| Chinese, and in other Chinese words | {figures.within_zh:.3f} | {figures.others_zh:.3f} | {figures.found_zh:.0%} |
| Chinese, and in English | {figures.across:.3f} | {figures.others_en:.3f} | {figures.found_en:.0%} |

Measured on what lies in this folder, with the prefix `query: ` and the mean of the last states, on a dozen statements
of our own. All cosines of this encoder are high; what counts is the distance between the two columns.

## Use

`base: {built.folder}` in a recipe, or `OPINION_MODELS__BASE={built.folder}` for recipes that name none; anywhere else
`AutoModel.from_pretrained` and `AutoTokenizer.from_pretrained`.
"""


def _engine_line(engine: Agreement | None) -> str:
    if engine is None:
        return "The package's own engine does not run on this machine, so the two were not compared."
    return (
        f"Over {engine.sentences} sentences, vectors of all layers and pieces have a cosine of {engine.mean:.4f}\n"
        f"  with those of the package's own engine, the lowest {engine.lowest:.4f}."
    )
