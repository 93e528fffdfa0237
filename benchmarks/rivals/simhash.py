"""Near-copies by SimHash (Charikar 2002; Manku, Jain, Das Sarma 2007): 64 bits a text, copies differ in few of them.

The bits are cut into `distance + 1` blocks, one of which two near texts must share: the usual index.
"""

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from core.copy_clusters import DisjointSets

BITS = 64


def simhashes(texts: Sequence[str], width: int = 2) -> list[int]:
    """The SimHash of each text over its character shingles."""
    return [_simhash(re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", one).casefold()), width) for one in texts]


def _simhash(folded: str, width: int) -> int:
    shingles = {folded[n : n + width] for n in range(max(1, len(folded) - width + 1))}
    digests = b"".join(hashlib.blake2b(one.encode("utf-8", "replace"), digest_size=8).digest() for one in shingles)
    bits = np.unpackbits(np.frombuffer(digests, dtype=np.uint8)).reshape(len(shingles), BITS)
    return int.from_bytes(np.packbits(bits.mean(axis=0) > 0.5).tobytes())


def components(hashes: Sequence[int], distance: int) -> list[list[int]]:
    """Texts whose hashes differ in at most so many bits, directly or through others."""
    joined = DisjointSets(len(hashes))
    width = BITS // (distance + 1)
    blocks: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for n, one in enumerate(hashes):
        for nth in range(distance + 1):
            block = blocks[nth, (one >> (nth * width)) & ((1 << width) - 1)]
            for m in block:
                if joined.find(n) != joined.find(m) and (one ^ hashes[m]).bit_count() <= distance:
                    joined.join(n, m)
            block.append(n)
    return joined.sets()
