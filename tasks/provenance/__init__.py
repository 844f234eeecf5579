"""Say where a text comes from and prove it.

Start with `lineage` (why an answer or a model is as it is, what a source has touched) and `tracing`
(where a text stands). `verification` and `proof` show it to us and to others; `licences`, `policy`,
`sensitivity` and `trust` say what a document is worth and allows; `influence` weighs what a model
learned from; `revocation` takes a source out; `audit` and `exports` tell it to others.
"""
