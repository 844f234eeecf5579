"""Turn bytes into characters without guessing more than needed, and say whether that is exact."""

import codecs
import re

from tasks.ingest.failures import ExtractError
from tasks.shared.layout import MARKED, codec_of

SAMPLE_BYTES = 65_536

_MAX_CONTROL_SHARE = 0.02
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MIN_EAST_ASIAN = 0.7
_EAST_ASIAN = re.compile(r"[\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff00-\uffef]")
_WIDE_CODECS = ("utf-16-le", "utf-16-be")

_CANDIDATES = (
    "gb18030", "big5", "cp950", "shift_jis", "cp932", "euc_jp", "euc_kr", "cp949", "cp1252",
    "latin_1", "cp1250", "iso8859_2", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256",
    "iso8859_15",
)  # fmt: skip
"""Legacy encodings that are considered: all without state, so that any part maps by itself."""

_ALIASES = {"gb2312": "gb18030", "gbk": "gb18030", "iso-8859-1": "cp1252", "latin-1": "cp1252"}
"""Declared names that in practice stand for their superset."""


def decode(data: bytes, declared: str = "") -> tuple[str, str]:
    """Decode to (text without byte order mark, encoding name as in tasks.shared.layout).

    Tried in this order: byte order mark, declared encoding, UTF-8, UTF-16 without a mark, the
    encoding that charset-normalizer finds. Raise ExtractError with text.binary or text.encoding.
    """
    for encoding, (mark, codec) in _marks():
        if data.startswith(mark):
            return _strict(data[len(mark) :], codec, encoding)
    wide = _wide_codec(data)
    for encoding in filter(None, (wide, _declared_codec(declared), "utf-8")):
        text = _attempt(data, encoding)
        if text is not None:
            return _checked(text), encoding
    if b"\0" in data[:SAMPLE_BYTES]:
        raise _binary()
    return _legacy(data)


def guess_encoding(head: bytes) -> str:
    """Name a Python codec for a stream from its first bytes; "utf-8-sig" reads UTF-8 of both kinds."""
    for encoding, (mark, _) in _marks():
        if head.startswith(mark):
            return encoding.removesuffix("-le-sig").removesuffix("-be-sig")
    whole_lines = head[: head.rfind(b"\n") + 1] or head
    try:
        codecs.getincrementaldecoder("utf-8")().decode(whole_lines)
    except UnicodeDecodeError:
        _, encoding = decode(whole_lines)
        return encoding
    _checked(whole_lines.decode("utf-8", "replace"))
    return "utf-8-sig"


def is_exact(data: bytes, text: str, encoding: str) -> bool:
    """Say whether encoding the text again gives the original bytes."""
    mark, codec = codec_of(encoding)
    try:
        return mark + text.encode(codec) == data
    except UnicodeEncodeError:
        return False


def _marks() -> list[tuple[str, tuple[bytes, str]]]:
    """Order marks so that UTF-32 goes before UTF-16, whose mark is its beginning."""
    return sorted(MARKED.items(), key=lambda item: -len(item[1][0]))


def _declared_codec(name: str) -> str:
    try:
        found = codecs.lookup(name.strip()).name
    except (LookupError, ValueError):
        return ""
    codec = _ALIASES.get(found, found)
    return "utf-8" if codec.startswith("utf") else codec if _is_known(codec) else ""


def _is_known(codec: str) -> bool:
    return codec in {codecs.lookup(name).name for name in _CANDIDATES}


def _attempt(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None


def _strict(data: bytes, codec: str, encoding: str) -> tuple[str, str]:
    text = _attempt(data, codec)
    if text is None:
        raise _undecodable()
    return _checked(text), encoding


def _checked(text: str) -> str:
    sample = text[:SAMPLE_BYTES]
    if len(_CONTROL.findall(sample)) > _MAX_CONTROL_SHARE * len(sample):
        raise _binary()
    return text


def _wide_codec(data: bytes) -> str:
    """Recognise UTF-16 without a mark: text in ASCII has a NUL in every other byte."""
    sample = data[:4096]
    if len(sample) < 4 or len(data) % 2:
        return ""
    for codec, offset in zip(_WIDE_CODECS, (1, 0), strict=True):
        nuls = sample[offset::2].count(0)
        if nuls > 0.4 * len(sample) / 2 and sample[1 - offset :: 2].count(0) == 0:
            return codec
    return ""


def _legacy(data: bytes) -> tuple[str, str]:
    from charset_normalizer import from_bytes

    sample = data[:SAMPLE_BYTES]
    if len(data) > SAMPLE_BYTES:
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    matches = list(from_bytes(sample, cp_isolation=list(_CANDIDATES)))
    best = [(match.chaos, match.coherence) for match in matches[:1]]
    ties = {match.encoding for match in matches if [(match.chaos, match.coherence)] == best}
    ranked = [codec for codec in _CANDIDATES if codec in ties]
    ranked += [match.encoding for match in matches if match.encoding not in ties]
    for codec in ranked:
        text = _attempt(data, codec)
        if text is not None:
            return _checked(text), codec
    return _east_asian(data)


def _east_asian(data: bytes) -> tuple[str, str]:
    """Accept the first East Asian codec that gives mostly ideographs, kana or hangul."""
    for codec in ("gb18030", "big5", "shift_jis", "euc_jp", "euc_kr"):
        text = _attempt(data, codec)
        foreign = [c for c in (text or "")[:SAMPLE_BYTES] if c > "\x7f"]
        known = len(_EAST_ASIAN.findall("".join(foreign)))
        if text is not None and known > _MIN_EAST_ASIAN * len(foreign):
            return _checked(text), codec
    raise _undecodable()


def _binary() -> ExtractError:
    return ExtractError(
        "text.binary", "the content is not text: give it the suffix of its format or exclude it"
    )


def _undecodable() -> ExtractError:
    return ExtractError(
        "text.encoding", "no known encoding reads the whole content: convert it to UTF-8"
    )
