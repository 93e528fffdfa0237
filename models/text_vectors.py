"""Texts as short vectors, without a model: hashed character n-grams, weighted and reduced on the texts themselves.

Tells what is alike in any language, in a few seconds for 2,000 texts and with no torch in the process: what is left
where no checkpoint can be loaded. `models.state_vectors` chooses better.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

NGRAMS: Final = (1, 3)  # a Chinese word has about two characters, an English stem more: three tells both apart
FEATURES: Final = 2**16
WIDTH: Final = 100  # the usual width of latent semantic analysis (Deerwester et al. 1990)
MOST_CHARS: Final = 300  # the beginning says what a text is about
SEED: Final = 7  # of the randomised decomposition: the same texts give the same vectors

Floats = npt.NDArray[np.float32]


def text_vectors(texts: Sequence[str]) -> Floats:
    """(texts, at most `WIDTH`) of length 1; a text without any character is a zero vector. Blocks."""
    from sklearn.feature_extraction.text import (  # these take a second, and only who chooses needs them
        HashingVectorizer,
        TfidfTransformer,
    )
    from sklearn.preprocessing import normalize
    from sklearn.utils.extmath import randomized_svd

    if not texts:
        return np.zeros((0, 1), dtype=np.float32)
    counts = HashingVectorizer(
        analyzer="char", ngram_range=NGRAMS, n_features=FEATURES, alternate_sign=False, norm=None, dtype=np.float32
    ).transform([text[:MOST_CHARS] for text in texts])
    weighted = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    width = min(WIDTH, len(texts) - 1)
    if width < 1:
        return np.ones((len(texts), 1), dtype=np.float32)
    left, sizes, _ = randomized_svd(weighted, width, random_state=SEED)
    vectors: Floats = np.asarray(normalize(left * sizes), dtype=np.float32)
    return vectors
