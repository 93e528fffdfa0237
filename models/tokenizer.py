"""A tokenizer trained on the training texts, for encoders that start from nothing.

Unigram pieces up to several characters long make frequent Chinese words one token, so that sequences stay
short and an encoder of two layers sees words, not characters.
"""

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors, trainers
from tokenizers.models import Unigram
from transformers import PreTrainedTokenizerFast

from models.recipe import TokenizerSettings

PAD, UNKNOWN, FIRST = "[pad]", "[unk]", "[cls]"
# Links and names say nothing about an opinion, and there is no end of them: each becomes one private-use character.
LINK, LINK_MARK = Regex(r"(https?://|www\.|t\.cn/)[\x21-\x7e]+"), " \ue000 "
NAME, NAME_MARK = Regex(r"@[a-z0-9_\-]{1,30}"), " \ue001 "


def train_tokenizer(texts: Iterable[str], settings: TokenizerSettings, max_length: int) -> PreTrainedTokenizerFast:
    """Train on every text; takes some minutes for 30 MB.

    Every character of `texts` gets a piece; a character never seen becomes `[unk]`, whose embedding is trained
    too, because word dropout uses it.
    """
    tokenizer = Tokenizer(Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            normalizers.Replace(LINK, LINK_MARK),
            normalizers.Replace(NAME, NAME_MARK),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(Regex(r"[\p{P}\p{S}]"), behavior="isolated"),
            pre_tokenizers.Digits(individual_digits=False),
        ]
    )
    trainer = trainers.UnigramTrainer(
        vocab_size=settings.pieces,
        special_tokens=[PAD, UNKNOWN, FIRST],
        unk_token=UNKNOWN,
        max_piece_length=settings.max_piece_chars,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{FIRST} $A", pair=f"{FIRST} $A $B", special_tokens=[(FIRST, tokenizer.token_to_id(FIRST))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNKNOWN,
        cls_token=FIRST,
        mask_token=UNKNOWN,
        model_max_length=max_length,
    )
