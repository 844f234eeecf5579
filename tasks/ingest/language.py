"""Tell the language of a text: by its script where that decides, else by py3langid."""

import re
from functools import lru_cache
from typing import Any

SAMPLE_CHARACTERS = 2_000
MIN_LETTERS = 15
MIN_EAST_ASIAN_SHARE = 0.2
"""One ideograph says as much as several letters, so a fifth of them makes a Chinese text."""

MIN_KANA_SHARE = 0.15

LANGUAGES = (
    "en", "zh", "ja", "ko", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "no", "fi", "pl", "cs",
    "sk", "hu", "ro", "bg", "ru", "uk", "el", "tr", "ar", "he", "fa", "hi", "th", "vi", "id",
)  # fmt: skip
"""Languages that py3langid chooses from; rarer ones would mostly be mistakes about code."""

_OTHER_SCRIPTS = frozenset({"zh", "ja", "ko", "bg", "ru", "uk", "el", "ar", "he", "fa", "hi", "th"})
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
_KANA = re.compile(r"[\u3041-\u30ff\u31f0-\u31ff]")
_HANGUL = re.compile(r"[\u1100-\u11ff\uac00-\ud7a3]")
_LETTER = re.compile(r"[^\W\d_]")
_NOISE = re.compile(r"https?://\S+|[`$<>{}\[\]|\\/=*#_~^+-]+|\b\w*[\d_.]\w*\b")


def detect_language(text: str) -> str:
    """Give the ISO 639-1 code of the text's main language, or "und" when there is too little."""
    sample = _sample(text)
    letters = len(_LETTER.findall(sample))
    han = len(_HAN.findall(sample))
    kana = len(_KANA.findall(sample))
    hangul = len(_HANGUL.findall(sample))
    if letters and han + kana + hangul > MIN_EAST_ASIAN_SHARE * letters:
        return _east_asian(han, kana, hangul)
    if letters < MIN_LETTERS:
        return "und"
    latin = len(_LATIN.findall(sample)) * 2 > letters
    ranked = _identifier().rank(_NOISE.sub(" ", sample))
    return next(str(code) for code, _ in ranked if not (latin and code in _OTHER_SCRIPTS))


def _east_asian(han: int, kana: int, hangul: int) -> str:
    total = han + kana + hangul
    if hangul * 2 > total:
        return "ko"
    return "ja" if kana > MIN_KANA_SHARE * total else "zh"


def _sample(text: str) -> str:
    """Take the middle of a long text: its ends are titles, licences and lists."""
    if len(text) <= SAMPLE_CHARACTERS:
        return text
    start = (len(text) - SAMPLE_CHARACTERS) // 2
    return text[start : start + SAMPLE_CHARACTERS]


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(list(LANGUAGES))
    return identifier
