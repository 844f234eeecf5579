"""Influence without a model: words in common, and what a bigram model would have learned.

At small scale these beat every gradient method, so they are always shown beside one.
TF-IDF: cosine, weights 1 + log(count) and log((N + 1) / (documents + 0.5)) (Salton & Buckley 1988).
Bigrams: the gradient of a query's log-likelihood under an interpolated bigram model (Jelinek &
Mercer 1980) with respect to the counts that a sample added: rare matches weigh more than common
ones, and a word in the same context more than the word alone.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.provenance.influence.samples import PAD, Tokens

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BIGRAM_SHARE = 0.3
"""Weight of the bigram in the interpolation; the rest is the word alone."""
_CONTEXT_PRIOR = 2.0
_WORD_PRIOR = 0.5


def score_tfidf(train: Tokens, queries: Tokens) -> Floats:
    """Give the cosine of each query with each training sample: [queries, samples]."""
    size = _vocabulary(train, queries)
    counts = _counts(train, size)
    documents = np.bincount(counts.indices, minlength=size)
    idf = np.log((len(train) + 1) / (documents + 0.5))
    rows = _unit_rows(counts, idf)
    return (_unit_rows(_counts(queries, size), idf) @ rows.T).toarray()


def score_bigrams(train: Tokens, queries: Tokens) -> Floats:
    """Give what each sample adds to the log-likelihood of each query: [queries, samples]."""
    size = _vocabulary(train, queries)
    sample, context, word = _positions(train)
    query, asked_context, asked_word = _positions(queries)
    pairs, pair, pair_counts = np.unique(
        context * size + word, return_inverse=True, return_counts=True
    )
    asked_pair = asked_context * size + asked_word
    at = np.searchsorted(pairs, asked_pair).clip(max=len(pairs) - 1)
    seen = pairs[at] == asked_pair
    per_context = BIGRAM_SHARE / (
        np.bincount(context, minlength=size)[asked_context] + _CONTEXT_PRIOR
    )
    total = len(word) + _WORD_PRIOR * size
    alone = (np.bincount(word, minlength=size)[asked_word] + _WORD_PRIOR) / total
    probability = per_context * np.where(seen, pair_counts[at], 0) + (1 - BIGRAM_SHARE) * alone
    of_pair = _sparse(per_context / probability, query, at, (len(queries), len(pairs)), seen)
    of_word = _sparse(
        (1 - BIGRAM_SHARE) / total / probability, query, asked_word, (len(queries), size)
    )
    ones = np.ones(len(word))
    by_pair = of_pair @ _sparse(ones, sample, pair, (len(train), len(pairs))).T
    by_word = of_word @ _sparse(ones, sample, word, (len(train), size)).T
    return (by_pair + by_word).toarray()


def _vocabulary(*tokens: Tokens) -> int:
    return max(int(part.max()) for part in tokens) + 1


def _positions(tokens: Tokens) -> tuple[Ints, Ints, Ints]:
    """Give sample, context and word of each predicted position."""
    wide = tokens.astype(np.int64)
    sample, at = np.nonzero(wide[:, 1:] != PAD)
    return sample, wide[sample, at], wide[sample, at + 1]


def _counts(tokens: Tokens, size: int) -> Any:
    sample, at = np.nonzero(tokens != PAD)
    words = tokens[sample, at].astype(np.int64)
    return _sparse(np.ones(len(sample)), sample, words, (len(tokens), size))


def _sparse(
    values: Floats, rows: Ints, columns: Ints, shape: tuple[int, int], keep: Any = slice(None)
) -> Any:
    from scipy.sparse import csr_matrix

    return csr_matrix((values[keep], (rows[keep], columns[keep])), shape=shape)


def _unit_rows(counts: Any, idf: Floats) -> Any:
    from scipy.sparse import diags

    weighed = counts.copy()
    weighed.data = 1.0 + np.log(weighed.data)
    weighed = weighed @ diags(idf)
    lengths = np.sqrt(np.asarray(weighed.power(2).sum(axis=1)).ravel())
    return diags(1.0 / np.where(lengths > 0, lengths, 1.0)) @ weighed
