"""Span index: finds every passage of a text that stands word for word in the corpus.

Start with `index.py` (`SpanIndex`: segments, manifest, tombstones, merging). `units.py` cuts text
into units, `suffixes.py` holds the suffix array and its search (`search.py`, with the argument why
it is right), `segment.py` the files of one immutable segment. Compiled kernels are in `bits.py`,
`scan.py`, `search.py`, `sorting.py` and `layout.py`; only what opens an index imports numba.
"""
