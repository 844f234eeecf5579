"""Secrets: private keys, access tokens of well-known services, passwords in assignments and URLs."""

import math
import re
from collections import Counter
from collections.abc import Iterator

from tasks.provenance.sensitivity.spans import Found, token_places

_TOKEN = re.compile(
    rb"(?:A(?:KIA|SIA)[A-Z2-7]{16}"  # AWS
    rb"|AIza[A-Za-z0-9_-]{35}"  # Google
    rb"|gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{22,255}"
    rb"|glpat-[A-Za-z0-9_-]{20,64}"
    rb"|xox[abeoprs]-[A-Za-z0-9-]{10,250}"  # Slack
    rb"|[sr]k_(?:live|test)_[A-Za-z0-9]{16,247}"  # Stripe
    rb"|sk-(?:proj-|ant-|svcacct-)?[A-Za-z0-9_-]{32,250}"  # OpenAI, Anthropic
    rb"|hf_[A-Za-z0-9]{30,60}|npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{50,250}"
    rb"|eyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{10,1000}"  # JWT
    rb")(?![A-Za-z0-9_-])"
)
"""Published forms of access tokens."""
_TOKEN_STARTS = frozenset(b"Agxsrhnpe")
_PEM = re.compile(
    rb"-----BEGIN (?P<name>(?:[A-Z]+ ){0,2}PRIVATE KEY(?: BLOCK)?)-----"
    rb"(?=[\s\\])(?:[^-]|-(?!----)){24,16000}(?:-----END (?P=name)-----)?"
)
_PASSWORD_WORDS = (b"passw", "密码".encode(), "密碼".encode(), "口令".encode())
_KEY_WORDS = (b"secret", b"token", b"_key", b"-key", b"apikey")
_KEY_BEFORE = re.compile(rb"(?:api|access|secret|auth|private)\Z", re.IGNORECASE)
_VALUE = re.compile(
    rb"(?:(?:or)?d|[_-]?(?:access[_-]?)?key)?[\"']?[ \t]{0,4}(?:=>|:=|=(?!=)|:|\xef\xbc\x9a)[ \t]{0,4}"
    rb"(?P<quote>[\"'`]?)(?P<value>[^\s\"'`<>,;\x80-\xff]{6,200})(?P=quote)",
    re.IGNORECASE,
)
_PLAIN = re.compile(
    rb"[A-Za-z_.:/-]+|\W+|\d+|0[xX][0-9a-fA-F]+|[<{$%(\[&*].*|.*[()\[\]{}].*"
    rb"|(?:[a-z0-9_]+[./:]){2,}[a-z0-9_]*"
)
"""A value that is a word, a name, a path, a placeholder, a number or code: no secret."""
_LOGIN = re.compile(rb"://[^\s/:@]{1,64}:(?P<password>[^\s/@<>{}\[\]$*]{3,128})@[\w.-]+")
_EXAMPLES = frozenset((b"pass", b"password", b"passwd", b"secret", b"pwd", b"xxx", b"changeme"))
MIN_BITS = 2.5
"""Entropy in bits a byte below which a value is a word, not a secret."""
MIN_TOKEN_BITS = 2.0
"""Entropy below which a string in the form of a token is a placeholder such as AKIAXXXX…"""
MIN_KEY = 16
"""Bytes of an assigned key or token; passwords may be shorter."""


def find_secrets(data: bytes) -> Iterator[Found]:
    """Find private keys, tokens, and passwords in URLs and assignments."""
    if b"PRIVATE KEY" in data:
        for match in _PEM.finditer(data):
            yield Found(0, match.start(), match.end(), "PRIVATE_KEY")
    yield from _find_tokens(data)
    for match in _LOGIN.finditer(data):
        if match["password"].lower() not in _EXAMPLES:
            yield Found(1, match.start("password"), match.end("password"), "PASSWORD")
    yield from _find_assigned(data)


def _find_tokens(data: bytes) -> Iterator[Found]:
    for at in token_places(data).tolist():
        if data[at] in _TOKEN_STARTS:
            match = _TOKEN.match(data, at)
            if match and entropy(match[0]) > MIN_TOKEN_BITS:
                yield Found(1, at, match.end(), "SECRET_KEY")


def _find_assigned(data: bytes) -> Iterator[Found]:
    lowered = data.lower()
    for word in (*_PASSWORD_WORDS, *_KEY_WORDS):
        at = lowered.find(word)
        while at >= 0:
            yield from _read_assignment(data, word, at)
            at = lowered.find(word, at + len(word))


def _read_assignment(data: bytes, word: bytes, at: int) -> Iterator[Found]:
    match = _VALUE.match(data, at + len(word))
    if match is None or _PLAIN.fullmatch(match["value"]) or entropy(match["value"]) < MIN_BITS:
        return
    value = Found(2, match.start("value"), match.end("value"), "SECRET_KEY")
    if word in _PASSWORD_WORDS:
        yield value._replace(kind="PASSWORD")
    elif len(match["value"]) >= MIN_KEY and _names_secret(data, word, at):
        yield value


def _names_secret(data: bytes, word: bytes, at: int) -> bool:
    """Tell an API key from a sort key: by the word before it."""
    return word not in (b"_key", b"-key") or bool(_KEY_BEFORE.search(data[max(0, at - 8) : at]))


def entropy(data: bytes) -> float:
    """Give the Shannon entropy of some bytes, in bits a byte."""
    counts = Counter(data)
    return -sum(n / len(data) * math.log2(n / len(data)) for n in counts.values())
