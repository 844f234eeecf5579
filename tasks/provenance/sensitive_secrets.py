"""Secrets: private keys, access tokens of well-known services, passwords in assignments and URLs."""

import math
import re
from collections import Counter
from collections.abc import Iterator

from tasks.provenance.sensitive_spans import Found

_TOKENS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("AKIA", "ASIA"), r"(?:AKIA|ASIA)[A-Z2-7]{16}"),
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_[A-Za-z0-9]{36,251}"),
    (("github_pat_",), r"github_pat_[A-Za-z0-9_]{22,255}"),
    (("glpat-",), r"glpat-[A-Za-z0-9_-]{20,64}"),
    (("xox",), r"xox[abeoprs]-[A-Za-z0-9-]{10,250}"),
    (("AIza",), r"AIza[A-Za-z0-9_-]{35}"),
    (("sk_live_", "rk_live_", "sk_test_"), r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,247}"),
    (("sk-",), r"sk-(?:proj-|ant-|svcacct-)?[A-Za-z0-9_-]{32,250}"),
    (("hf_",), r"hf_[A-Za-z0-9]{30,60}"),
    (("npm_",), r"npm_[A-Za-z0-9]{36}"),
    (("pypi-",), r"pypi-AgE[A-Za-z0-9_-]{50,250}"),
    (("eyJ",), r"eyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{10,1000}"),
)
_TOKEN_RULES = tuple(
    (needles, re.compile(rf"(?<![A-Za-z0-9_-]){pattern}(?![A-Za-z0-9_-])"))
    for needles, pattern in _TOKENS
)
_PEM = re.compile(
    r"-----BEGIN (?P<name>(?:[A-Z]+ ){0,2}PRIVATE KEY(?: BLOCK)?)-----(?:(?!-----)[\s\S]){0,16000}(?:-----END (?P=name)-----)?"
)
_WORDS = (
    "assword",
    "ASSWORD",
    "asswd",
    "ASSWD",
    "ecret",
    "ECRET",
    "oken",
    "OKEN",
    "pi_key",
    "PI_KEY",
    "pikey",
    "piKey",
    "APIKEY",
    "ccess_key",
    "CCESS_KEY",
    "密码",
    "密碼",
    "口令",
)
_ASSIGN = re.compile(
    r"(?P<word>passw(?:or)?d|secret(?:[_-]?(?:access[_-]?)?key)?|(?:access[_-]?|auth[_-]?|bearer[_-]?)?token|api[_-]?key|access[_-]?key|密码|密碼|口令)[\"']?[ \t]{0,4}(?:=>|[:=：])[ \t]{0,4}(?P<quote>[\"'`]?)(?P<value>[^\s\"'`<>,;，。]{6,200})(?P=quote)",
    re.IGNORECASE,
)
_URL_LOGIN = re.compile(r"://[^\s/:@]{1,64}:(?P<password>[^\s/@<>{}\[\]$]{3,128})@[\w.-]+")
_PLAIN = re.compile(
    r"[A-Za-z]+|[A-Za-z_.()\[\]]+|[<{$%(\[].*|.*[()\[\]{}].*|[x*.•]+|0x[0-9a-f]+|\d+|(?:\w+[./:]){2,}\w*",
    re.IGNORECASE,
)
MIN_BITS = 2.5
"""Entropy in bits a character below which a value is a word, not a secret."""


def find_secrets(text: str) -> Iterator[Found]:
    """Find keys, tokens and passwords."""
    if "PRIVATE KEY" in text:
        for match in _PEM.finditer(text):
            yield Found(0, match.start(), match.end(), "PRIVATE_KEY")
    yield from _find_tokens(text)
    for match in _URL_LOGIN.finditer(text):
        yield Found(1, match.start("password"), match.end("password"), "PASSWORD")
    if any(word in text for word in _WORDS):
        yield from _find_assigned(text)


def _find_tokens(text: str) -> Iterator[Found]:
    for needles, pattern in _TOKEN_RULES:
        if not any(needle in text for needle in needles):
            continue
        for match in pattern.finditer(text):
            if entropy(match[0]) > MIN_BITS:
                yield Found(1, match.start(), match.end(), "SECRET_KEY")


def _find_assigned(text: str) -> Iterator[Found]:
    for match in _ASSIGN.finditer(text):
        value = match["value"]
        if _PLAIN.fullmatch(value) or entropy(value) < MIN_BITS:
            continue
        word = match["word"].casefold()
        kind = (
            "PASSWORD"
            if word.startswith("passw") or word in ("密码", "密碼", "口令")
            else "SECRET_KEY"
        )
        if kind == "PASSWORD" or len(value) >= 16:
            yield Found(2, match.start("value"), match.end("value"), kind)


def entropy(text: str) -> float:
    """Give the Shannon entropy of a text in bits a character."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())
