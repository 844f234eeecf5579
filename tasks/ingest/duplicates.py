"""Near-duplicates: a MinHash signature per text, and clusters of texts that share most shingles.

The signature is one-permutation MinHash with optimal densification (Shrivastava, ICML 2017):
each shingle is hashed once and falls into one of 128 bins, of which the smallest value is kept;
an empty bin borrows from another. Tokens and shingles are hashed with numpy over the UTF-8 bytes,
since a signature is made of every document and a loop in Python would cost more than reading it.
A signature depends on the text alone: not on process, platform or library version.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

BINS = 128
THRESHOLD = 0.8
"""Estimated Jaccard similarity from which two texts are near-duplicates."""
MIN_SHINGLES = 8
"""Texts with fewer shingles are duplicates only when their words are equal."""
BANDS, ROWS = 21, 6
"""Two texts of similarity .8 share a band with probability .998, of similarity .3 with .015."""
SIGNATURE_BYTES = 4 * BINS

_BLOCK = 1 << 18
"""Bytes hashed at a time; bounds the tables of powers and the memory of a large text."""
_MULTIPLIER = 0x9E3779B97F4A7C15
_SEED = 20_240_229
_U = np.uint64


def _mix(values: Words) -> Words:
    """Spread the bits of each value (the finaliser of SplitMix64)."""
    values = (values ^ (values >> _U(30))) * _U(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> _U(27))) * _U(0x94D049BB133111EB)
    return values ^ (values >> _U(31))


def _byte_codes() -> Words:
    codes = _mix(np.arange(1, 257, dtype=np.uint64) + _U(_SEED))
    codes[ord("A") : ord("Z") + 1] = codes[ord("a") : ord("z") + 1]
    return codes


def _byte_classes() -> npt.NDArray[np.uint8]:
    """0 separates; 1 belongs to a word; 2 leads a CJK character; 3 leads a three-byte separator."""
    classes = np.zeros(256, np.uint8)
    for byte in range(128):
        classes[byte] = chr(byte).isalnum()
    classes[0x80:] = 1
    classes[0xE3:0xEA] = 2
    classes[[0xE2, 0xEF]] = 3
    return classes


def _powers(base: int) -> Words:
    return np.cumprod(np.full(_BLOCK, base, dtype=np.uint64), dtype=np.uint64)


_CODES = _byte_codes()
_CLASSES = _byte_classes()
_POWERS = _powers(_MULTIPLIER)
_INVERSE = _powers(pow(_MULTIPLIER, -1, 1 << 64))
_PROBES = (_mix(np.arange(BINS * 64, dtype=np.uint64) + _U(_SEED)) % _U(BINS)).reshape(64, BINS)


def signature(text: str) -> bytes:
    """Make the signature of a text: 512 bytes; 16 for a short text; none for one without words."""
    tokens = _tokens(text.encode("utf-8", "surrogatepass"))
    if len(tokens) == 0:
        return b""
    if len(tokens) < MIN_SHINGLES + 2:
        return hashlib.blake2b(tokens.astype("<u8").tobytes(), digest_size=16).digest()
    return _min_hash(_shingles(tokens)).astype("<u4").tobytes()


def similarity(left: bytes, right: bytes) -> float:
    """Estimate the Jaccard similarity of the shingles of two texts; standard error .035 at .8."""
    if len(left) != SIGNATURE_BYTES or len(right) != SIGNATURE_BYTES:
        return float(left == right and bool(left))
    equal = np.frombuffer(left, "<u4") == np.frombuffer(right, "<u4")
    return float(np.count_nonzero(equal)) / BINS


class Clusters:
    """Near-duplicate clusters; each is named by its first document and collects what is like that.

    Only the first document of a cluster is compared, so that a chain of small changes cannot join
    two texts that differ. The outcome depends on the order of calls.
    """

    def __init__(self, pairs: Iterable[tuple[str, bytes, str]] = ()) -> None:
        self._cluster: dict[str, str] = {}
        self._leaders: list[tuple[str, bytes]] = []
        self._bands: dict[bytes, list[int]] = {}
        led: set[str] = set()
        known = sorted(pairs, key=lambda pair: pair[0] != pair[2])
        for doc_id, stored, cluster in known:
            self._cluster[doc_id] = cluster
            if cluster not in led and stored:
                led.add(cluster)
                self._lead(cluster, stored)

    def assign(self, doc_id: str, stored: bytes) -> str:
        """Give the cluster of a document: of the earliest leader that it resembles, or its own."""
        if doc_id in self._cluster:
            return self._cluster[doc_id]
        cluster = self._find(stored)
        if not cluster:
            cluster = doc_id
            self._lead(doc_id, stored)
        self._cluster[doc_id] = cluster
        return cluster

    def _lead(self, cluster: str, stored: bytes) -> None:
        place = len(self._leaders)
        self._leaders.append((cluster, stored))
        for key in _band_keys(stored):
            self._bands.setdefault(key, []).append(place)

    def _find(self, stored: bytes) -> str:
        places = {place for key in _band_keys(stored) for place in self._bands.get(key, ())}
        for place in sorted(places):
            cluster, leader = self._leaders[place]
            if similarity(stored, leader) >= THRESHOLD:
                return cluster
        return ""


def _band_keys(stored: bytes) -> list[bytes]:
    if len(stored) != SIGNATURE_BYTES:
        return [stored] if stored else []
    width = 4 * ROWS
    return [bytes([band]) + stored[band * width : (band + 1) * width] for band in range(BANDS)]


def _tokens(data: bytes) -> Words:
    """Hash the words of a text, in order; a CJK character is a word, ASCII case does not matter."""
    blocks = [_block_tokens(data[at : at + _BLOCK]) for at in range(0, len(data), _BLOCK)]
    return np.concatenate(blocks) if blocks else np.empty(0, np.uint64)


def _block_tokens(data: bytes) -> Words:
    octets = np.frombuffer(data, np.uint8)
    classes = _CLASSES[octets]
    word = classes > 0
    starts = word.copy()
    starts[1:] &= ~word[:-1]
    if not data.isascii():
        _split_characters(classes, word, starts)
    at = np.flatnonzero(starts)
    if len(at) == 0:
        return np.empty(0, np.uint64)
    values = _CODES[octets] * _POWERS[: len(octets)]
    values[~word] = 0
    sums: Any = np.add.reduceat(values, at)
    return sums * _INVERSE[at]


def _split_characters(
    classes: npt.NDArray[np.uint8], word: npt.NDArray[np.bool_], starts: npt.NDArray[np.bool_]
) -> None:
    """Make each CJK character a word, and three-byte punctuation no word; in place."""
    size = len(word)
    for offset in range(3):
        at = np.flatnonzero(classes == 3) + offset
        word[at[at < size]] = False
    after = np.flatnonzero(classes == 3) + 3
    leads = np.flatnonzero(classes == 2)
    for at in (leads, leads + 3, after):
        starts[at[at < size]] = True
    starts &= word


def _shingles(tokens: Words) -> Words:
    """Hash each three words in a row."""
    first, second, third = tokens[:-2], tokens[1:-1], tokens[2:]
    joined = first * _U(0xD6E8FEB86659FD93) + second * _U(0xA0761D6478BD642F) + third
    return _mix(joined)


def _min_hash(shingles: Words) -> npt.NDArray[np.uint32]:
    empty = np.iinfo(np.uint64).max
    bins = np.full(BINS, empty, np.uint64)
    order = np.sort(shingles)
    places = (order >> _U(57)).astype(np.intp)
    first = np.flatnonzero(np.diff(places, prepend=-1))
    bins[places[first]] = order[first]
    filled = np.zeros(BINS, np.bool_)
    filled[places[first]] = True
    return _densify(bins, filled)


def _densify(bins: Words, filled: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint32]:
    """Let each empty bin take the value of the first filled bin on its own fixed path."""
    values = bins.copy()
    open_bins = np.flatnonzero(~filled)
    for probe in _PROBES:
        if len(open_bins) == 0:
            break
        source = probe[open_bins].astype(np.intp)
        hit = filled[source]
        values[open_bins[hit]] = bins[source[hit]]
        open_bins = open_bins[~hit]
    values[open_bins] = bins[filled].min()
    return (values & _U(0xFFFFFFFF)).astype(np.uint32)
