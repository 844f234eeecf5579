"""Which training documents helped a model with a text, and how far such scores can be relied on.

Start at `pipeline.py` (documents to a stored index) and `scores.py` (what others show). The
algorithms: `lexical.py`, `ekfac.py`, `embedding.py`, put together in `scoring.py` and
`combine.py`, measured by retraining in `calibrate.py`, summed for owners in `totals.py`.
"""
