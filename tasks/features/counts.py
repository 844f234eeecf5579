"""Count the search terms of texts: the bag of words that BM25 and TF-IDF are made from."""

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from storage.schemas import COUNTS
from tasks.shared.text import analyse

FREQUENCY_MAX = 2**16 - 1


def count_terms(text: str) -> tuple[list[str], list[int]]:
    """Give the distinct terms of a text, sorted, and how often each occurs."""
    counted = sorted(Counter(analyse(text)).items())
    return [term for term, _ in counted], [min(n, FREQUENCY_MAX) for _, n in counted]


def counts_table(spec: str, text_shas: Sequence[str], texts: Sequence[str]) -> pa.Table:
    """Make rows of the counts table, one a text."""
    counted = [count_terms(text) for text in texts]
    return pa.table(
        {
            "spec": [spec] * len(texts),
            "text_sha": list(text_shas),
            "terms": [terms for terms, _ in counted],
            "frequencies": [numbers for _, numbers in counted],
            "n_terms": [sum(numbers) for _, numbers in counted],
        },
        schema=COUNTS.schema,
    )
