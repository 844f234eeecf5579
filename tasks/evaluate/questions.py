"""A question set in memory: passages, questions, and which passage answers which question."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from storage.digest import canonical_json
from tasks.evaluate.rows import Refusal


@dataclass(frozen=True, slots=True)
class Passage:
    """One unit of retrieval."""

    id: str
    title: str
    text: str

    @property
    def searched(self) -> str:
        """The text that retrievers see: title and body, as BEIR does."""
        return f"{self.title}\n{self.text}" if self.title else self.text


@dataclass(frozen=True, kw_only=True)
class QuestionSet:
    """Judged questions; every one has at least one relevant passage with a grade above 0."""

    name: str
    corpus: tuple[Passage, ...]
    """Empty: the judged ids are URIs or document ids of the published index."""
    queries: Mapping[str, str]
    relevant: Mapping[str, Mapping[str, int]]
    refused: tuple[Refusal, ...] = ()
    skipped: int = 0
    """Questions left out by design: not judged, or marked impossible."""

    def digest(self) -> str:
        """SHA-256 of passages, questions and judgements: the version of the data."""
        digest = hashlib.sha256()
        for passage in self.corpus:
            digest.update(canonical_json([passage.id, passage.title, passage.text]) + b"\n")
        digest.update(canonical_json(dict(self.queries)) + b"\n")
        digest.update(canonical_json({query: dict(row) for query, row in self.relevant.items()}))
        return digest.hexdigest()

    def texts(self) -> list[tuple[str, str]]:
        """Give id and searched text of each passage."""
        return [(passage.id, passage.searched) for passage in self.corpus]

    def sample(self, limit: int, seed: int = 0) -> "QuestionSet":
        """Keep at most limit questions, drawn by seed, and the whole corpus; 0 keeps all."""
        if limit <= 0 or limit >= len(self.queries):
            return self
        drawn = np.random.default_rng(seed).choice(len(self.queries), limit, replace=False)
        ids = list(self.queries)
        kept = [ids[at] for at in sorted(drawn)]
        return replace(
            self,
            queries={query: self.queries[query] for query in kept},
            relevant={query: self.relevant[query] for query in kept},
        )
