"""Near-duplicates: a MinHash signature per text, and clusters of texts that share most shingles.

White space, punctuation and case are dropped first. A shingle is then a window of 16 bytes, about
three words; where a CJK character begins, it is that character and the next. The signature is
one-permutation MinHash with optimal densification (Shrivastava, ICML 2017): each shingle is
hashed once and falls into one of 128 bins, of which the smallest value is kept; an empty bin
borrows from another. All passes are numpy over the UTF-8 bytes, since every document is signed
and a loop in Python would cost more than reading it (docs/adr/0004-near-duplicates.md).
A signature depends on the text alone: not on process, platform or library version.
"""

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

BINS = 128
THRESHOLD = 0.8
"""Estimated Jaccard similarity from which two texts are near-duplicates."""
MIN_BYTES = 48
"""Letters and digits, in bytes, below which texts are duplicates only when these are equal."""
BANDS, ROWS = 21, 6
"""Two texts of similarity .8 share a band with probability .998, of similarity .3 with .015."""
SIGNATURE_BYTES = 4 * BINS

_WINDOW = 16
_BLOCK = 1 << 16
"""Windows hashed at a time: the passes then stay in the processor's cache."""
_KEPT_PER_BIN = 10
"""Expected values of a bin that are compared; when a bin gets none, all are."""
_SEED = 20_240_229
_U = np.uint64
_BIN_SHIFT = _U(57)
_BIN_BITS = _U(7)
_FIRST, _SECOND = _U(0x9E3779B97F4A7C15), _U(0xD6E8FEB86659FD93)
_TWO_CHARACTERS = _U(0x0000FFFFFFFFFFFF)
_LOWER = bytes(code + 32 if 65 <= code <= 90 else code for code in range(256))
_SEPARATORS = bytes(code for code in range(128) if not chr(code).isalnum())
_NONE = _U(0xFFFFFFFFFFFFFFFF)


def _mix(values: Words) -> Words:
    """Spread the bits of each value (the finaliser of SplitMix64)."""
    values = (values ^ (values >> _U(30))) * _U(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> _U(27))) * _U(0x94D049BB133111EB)
    return values ^ (values >> _U(31))


_PROBES = (_mix(np.arange(BINS * 64, dtype=np.uint64) + _U(_SEED)) % _U(BINS)).reshape(64, BINS)


def signature(text: str) -> bytes:
    """Make the signature of a text: 512 bytes; 16 for a short text; none for one without words."""
    data = _squeeze(text)
    if not data:
        return b""
    if len(data) < MIN_BYTES:
        return hashlib.blake2b(data, digest_size=16).digest()
    return _densify(_bin_minima(data)).astype("<u4").tobytes()


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


def _squeeze(text: str) -> bytes:
    """Keep letters and digits as UTF-8, those of ASCII in lower case."""
    data = text.encode("utf-8", "surrogatepass").translate(_LOWER, _SEPARATORS)
    return data if text.isascii() else _drop_wide_separators(data)


def _drop_wide_separators(data: bytes) -> bytes:
    """Drop U+0080..BF, U+2000..2FFF, U+3000..303F and U+F000..FFFF: hardly a letter among them."""
    octets = np.frombuffer(data, np.uint8)
    following = np.append(octets[1:], np.uint8(0))
    two = np.flatnonzero(octets == 0xC2)
    three = np.flatnonzero(
        (octets == 0xE2) | (octets == 0xEF) | ((octets == 0xE3) & (following == 0x80))
    )
    kept = np.ones(len(octets), np.bool_)
    for at in (two, two + 1, three, three + 1, three + 2):
        kept[at] = False
    return octets[kept].tobytes()


def _bin_minima(data: bytes) -> Words:
    """Give the smallest hash of each bin, or _NONE."""
    share = _KEPT_PER_BIN * BINS / len(data)
    if share < 0.5:
        # Only small values can be the smallest of their bin: most need no comparison.
        limit = _U(int(share * 2.0**64))
        small = [hashes[(hashes << _BIN_BITS) < limit] for hashes in _hash_blocks(data)]
        minima = _smallest(small)
        if not np.any(minima == _NONE):
            return minima
    return _smallest(_hash_blocks(data))


def _smallest(blocks: Iterable[Words]) -> Words:
    minima = np.full(BINS, _NONE, np.uint64)
    for hashes in blocks:
        np.minimum.at(minima, (hashes >> _BIN_SHIFT).astype(np.intp), hashes)
    return minima


def _hash_blocks(data: bytes) -> Iterator[Words]:
    """Hash the window that begins at each byte; blocks overlap by a window."""
    hash_block = _hash_windows if data.isascii() else _hash_characters
    for start in range(0, len(data) - _WINDOW + 1, _BLOCK):
        yield hash_block(data[start : start + _BLOCK + _WINDOW - 1])


def _hash_windows(block: bytes) -> Words:
    halves = _eight_bytes(block) * _FIRST
    hashes: Words = halves[8:] >> _U(23)
    hashes ^= halves[:-8]
    hashes *= _SECOND
    return hashes


def _hash_characters(block: bytes) -> Words:
    """Hash windows of a text that is not ASCII: two characters where a CJK one begins."""
    hashes = _hash_windows(block)
    octets = np.frombuffer(block, np.uint8)[: len(hashes)]
    leads = np.flatnonzero((octets >= 0xE3) & (octets <= 0xED))
    hashes[leads] = ((_eight_bytes(block)[leads] & _TWO_CHARACTERS) * _FIRST) * _SECOND
    return hashes[(octets < 0x80) | (octets >= 0xC0)]


def _eight_bytes(block: bytes) -> Words:
    """View the eight bytes from each byte on as a number, without a copy."""
    return np.ndarray((len(block) - 7,), np.dtype("<u8"), block, strides=(1,))


def _densify(minima: Words) -> npt.NDArray[np.uint32]:
    """Let each empty bin take the value of the first filled bin on its own fixed path."""
    filled = minima != _NONE
    bins = _mix(minima)
    values = bins.copy()
    empty = np.flatnonzero(~filled)
    for probe in _PROBES:
        if len(empty) == 0:
            break
        source = probe[empty].astype(np.intp)
        hit = filled[source]
        values[empty[hit]] = bins[source[hit]]
        empty = empty[~hit]
    values[empty] = bins[np.argmax(filled)]
    return (values & _U(0xFFFFFFFF)).astype(np.uint32)
