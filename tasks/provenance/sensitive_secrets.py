"""Secrets: private keys, access tokens of well-known services, passwords in assignments and URLs."""

import math
import re
from collections import Counter
from collections.abc import Iterator

from tasks.provenance.sensitive_spans import Found

_TOKENS = (
    ("AKIA", r"AKIA[A-Z2-7]{16}"),
    ("ASIA", r"ASIA[A-Z2-7]{16}"),
    ("ghp_", r"ghp_[A-Za-z0-9]{36}"),
    ("gho_", r"gho_[A-Za-z0-9]{36}"),
    ("ghs_", r"ghs_[A-Za-z0-9]{36}"),
    ("github_pat_", r"github_pat_[A-Za-z0-9_]{22,255}"),
    ("glpat-", r"glpat-[A-Za-z0-9_-]{20,64}"),
    ("xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,250}"),
    ("AIza", r"AIza[A-Za-z0-9_-]{35}"),
    ("_live_", r"[sr]k_live_[A-Za-z0-9]{16,247}"),
    ("sk-", r"sk-(?:proj-|ant-|svcacct-)?[A-Za-z0-9_-]{32,250}"),
    ("hf_", r"hf_[A-Za-z0-9]{30,60}"),
    ("npm_", r"npm_[A-Za-z0-9]{36}"),
    ("pypi-AgE", r"pypi-AgE[A-Za-z0-9_-]{50,250}"),
    ("eyJ", r"eyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{10,1000}"),
)
"""Published forms of access tokens; the first string is looked for before the pattern is tried."""
_TOKEN_RULES = tuple(
    (needle, re.compile(rf"(?<![A-Za-z0-9_-]){pattern}(?![A-Za-z0-9_-])"))
    for needle, pattern in _TOKENS
)
_PEM = re.compile(
    r"-----BEGIN (?P<name>(?:[A-Z]+ ){0,2}PRIVATE KEY(?: BLOCK)?)-----"
    r"[^-]{0,16000}(?:-----END (?P=name)-----)?"
)
_WORDS = ("passw", "secret", "token", "_key", "-key", "apikey", "密码", "密碼", "口令")
_PASSWORD_WORDS = frozenset({"passw", "密码", "密碼", "口令"})
_KEY_BEFORE = re.compile(r"(?:api|access|secret|auth|private)\Z", re.IGNORECASE)
_VALUE = re.compile(
    r"(?:(?:or)?d|[_-]?(?:access[_-]?)?key)?[\"']?[ \t]{0,4}(?:=>|:=|=(?!=)|[:：])[ \t]{0,4}"
    r"(?P<quote>[\"'`]?)(?P<value>[^\s\"'`<>,;，。]{6,200})(?P=quote)",
    re.IGNORECASE,
)
_PLAIN = re.compile(
    r"[A-Za-z_.:/-]+|\W+|\d+|0x[0-9a-f]+|[<{$%(\[&*].*|.*[()\[\]{}].*|(?-i:(?:[a-z0-9_]+[./:]){2,}[a-z0-9_]*)",
    re.IGNORECASE,
)
"""A value that is a word, a name, a placeholder, a number or code: no secret."""
_LOGIN = re.compile(r"://[^\s/:@]{1,64}:(?P<password>[^\s/@<>{}\[\]$*]{3,128})@[\w.-]+")
_EXAMPLES = frozenset(
    {"pass", "password", "passwd", "secret", "pwd", "xxx", "changeme", "mypassword"}
)
MIN_BITS = 2.5
"""Entropy in bits a character below which a value is a word, not a secret."""
MIN_TOKEN_BITS = 2.0
"""Entropy below which a string in the form of a token is a placeholder such as AKIAXXXX…"""
MIN_KEY = 16
"""Characters of an assigned key or token; passwords may be shorter."""


def find_secrets(text: str) -> Iterator[Found]:
    """Find private keys, tokens, and passwords in URLs and assignments."""
    if "PRIVATE KEY" in text:
        for match in _PEM.finditer(text):
            yield Found(0, match.start(), match.end(), "PRIVATE_KEY")
    yield from _find_tokens(text)
    for match in _LOGIN.finditer(text):
        if match["password"].casefold() not in _EXAMPLES:
            yield Found(1, match.start("password"), match.end("password"), "PASSWORD")
    yield from _find_assigned(text)


def _find_tokens(text: str) -> Iterator[Found]:
    for needle, pattern in _TOKEN_RULES:
        if needle not in text:
            continue
        for match in pattern.finditer(text):
            if entropy(match[0]) > MIN_TOKEN_BITS:
                yield Found(1, match.start(), match.end(), "SECRET_KEY")


def _find_assigned(text: str) -> Iterator[Found]:
    lowered = text.lower()
    if len(lowered) != len(text):  # a letter such as "İ" grew: offsets would not agree
        lowered = text
    for word in _WORDS:
        at = lowered.find(word)
        while at >= 0:
            yield from _read_assignment(text, word, at)
            at = lowered.find(word, at + len(word))


def _read_assignment(text: str, word: str, at: int) -> Iterator[Found]:
    match = _VALUE.match(text, at + len(word))
    if match is None or _PLAIN.fullmatch(match["value"]) or entropy(match["value"]) < MIN_BITS:
        return
    value = Found(2, match.start("value"), match.end("value"), "SECRET_KEY")
    if word in _PASSWORD_WORDS:
        yield value._replace(kind="PASSWORD")
    elif len(match["value"]) >= MIN_KEY and _names_secret(text, word, at):
        yield value


def _names_secret(text: str, word: str, at: int) -> bool:
    """Tell an API key from a sort key: by the word before it."""
    return word not in ("_key", "-key") or bool(_KEY_BEFORE.search(text[max(0, at - 8) : at]))


def entropy(text: str) -> float:
    """Give the Shannon entropy of a text in bits a character."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())
