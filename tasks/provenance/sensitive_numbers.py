"""Numbers that name a person or an account: phones, cards, IBANs, identity numbers.

All start from a run of digits with the separators that people put between them. Check digits,
issuer ranges and the words before decide what a run is.
"""

import re
from collections.abc import Iterator

import phonenumbers
from stdnum import iban, luhn
from stdnum.cn import ric

from tasks.provenance.sensitive_spans import Found

_RUN = re.compile(r"[0-9](?:[ .()/\-]{0,3}[0-9]){6,}")
_EDGE = 40
"""Characters looked at on each side of a run: the prefix of an IBAN, an extension."""
_LEFT = r"(?<![A-Za-z0-9_.,\-/+#$=])"
_RIGHT = r"(?![A-Za-z0-9_=]|[.,\-/]\d)"
_SSN = re.compile(rf"{_LEFT}(?!000|666|9\d\d)\d{{3}}-(?!00)\d\d-(?!0000)\d{{4}}{_RIGHT}")
_RESIDENT = re.compile(r"(?<![0-9A-Za-z_])[1-9]\d{16}[\dXx](?![0-9A-Za-z_])")
_CARD = re.compile(
    rf"{_LEFT}(?:\d{{12,19}}|\d{{4}}([ -])\d{{4}}\1\d{{4}}\1\d{{1,4}}(?:\1\d{{1,3}})?"
    rf"|\d{{4}}([ -])\d{{6}}\2\d{{5}}){_RIGHT}"
)
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,4})?(?![A-Za-z0-9])"
)
_IBAN_MAX = 42
_ISSUERS = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}"
    r"|(?:6011|65\d\d|64[4-9]\d)\d{12}|(?:2131|1800)\d{11}|35\d{14}|62\d{14,17}"
)
_CARD_WORD = re.compile(
    r"(?:card|\bcc\b|credit|debit|visa|amex|卡号?|卡號)[^\n]{0,24}\Z", re.IGNORECASE
)
_PHONE = re.compile(
    r"(?<![A-Za-z0-9_.\-/#$=(+])(?<!\d,)(?:\+ ?)?+\(?+\d++\)?+(?:[ .\-/]{0,2}\(?\d++\)?+){0,6}"
    r"(?: ?(?:x|ext\.?) ?\d{1,6})?(?![A-Za-z0-9_=]|[.,\-/:]\d)"
)
_EXTENSION = re.compile(r" ?(?:x|ext)")
_PHONE_WORD = re.compile(
    r"(?:phone|\btel\b|\bmobile|\bcell|\bfax|\bcall\b|\bcall me\b|\bdial|\bsms|\btext (?:me|us)|contact"
    r"|reach|whatsapp|\bdesk|hotline|answering|messages? to|registered"
    r"|电话|手机|联系|号码|致电|拨打|传真|電話|手機|聯[繫系]|號碼|傳真)[^\n]{0,24}\s*\Z",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?:19|20)\d\d[-./ ]\d{1,2}[-./ ]\d{1,2}.*|\d{1,2}[-./]\d{1,2}[-./](?:19|20)\d\d|(?:\d{1,3}\.){3}\d{1,3}(?![.\d]).*"
)
"""A date, or an address with a port: no phone, whatever stands before it."""
_GROUPED = re.compile(r"(?:\([2-9]\d\d\)|[2-9]\d\d[ .-])[ .-]?[2-9]\d\d[.-]\d{4}")
_LABEL_AFTER = re.compile(
    r"[\s\-(]{0,3}(?:office|fax|mobile|home|work|cell|tel|desk|direct|phone|办公|传真|手机|电话)\b",
    re.IGNORECASE,
)
_LICENCE = re.compile(
    r"icen[cs]e(?:\s+(?:number|no\.?|#))?(?:\s+is)?[\s:#]*(?P<id>[A-Z]?\d[\d-]{5,16}\d)(?![\w-])"
)
_DRIVER = re.compile(r"driver'?s?'?\s+l\Z", re.IGNORECASE)


def find_numbers(text: str) -> Iterator[Found]:
    """Find phones, cards, IBANs and identity numbers."""
    for run in _RUN.finditer(text):
        yield from _find_ids(text, run.start(), run.end())
        yield from _find_phones(text, run.start(), run.end())
    for match in _LICENCE.finditer(text):
        if _DRIVER.search(text[max(0, match.start() - 12) : match.start()]):
            yield Found(1, match.start("id"), match.end("id"), "US_DRIVER_LICENSE")


def _find_ids(text: str, start: int, end: int) -> Iterator[Found]:
    stop = min(len(text), end + 2)
    for match in _SSN.finditer(text, start, stop):
        yield Found(2, match.start(), match.end(), "US_SSN")
    if end - start >= 12:
        for match in _CARD.finditer(text, start, stop):
            if _is_card(text, match):
                yield Found(3, match.start(), match.end(), "CREDIT_CARD")
        for match in _RESIDENT.finditer(text, start, stop):
            if ric.is_valid(match[0]):
                yield Found(2, match.start(), match.end(), "CN_RESIDENT_ID")
    if text[max(0, start - 2) : start].strip().isalpha():
        yield from _find_ibans(text, max(0, start - _IBAN_MAX), min(len(text), end + _EDGE))


def _find_ibans(text: str, low: int, high: int) -> Iterator[Found]:
    for match in _IBAN.finditer(text, low, high):
        if iban.is_valid(match[0], check_country=False):
            yield Found(2, match.start(), match.end(), "IBAN_CODE")


def _is_card(text: str, match: re.Match[str]) -> bool:
    digits = re.sub(r"[ -]", "", match[0])
    if len(set(digits)) < 2 or not luhn.is_valid(digits):
        return False
    if _ISSUERS.fullmatch(digits):
        return True
    return bool(_CARD_WORD.search(text[max(0, match.start() - 48) : match.start()]))


def _find_phones(text: str, start: int, end: int) -> Iterator[Found]:
    stop = min(len(text), end + _EDGE)
    for match in _PHONE.finditer(text, max(0, start - 3), stop):
        cut = match.end() + 2 > stop and stop < len(text)
        if not cut and match.end() > start and _is_phone(text, match):
            yield Found(5, match.start(), match.end(), "PHONE_NUMBER")


def _is_phone(text: str, match: re.Match[str]) -> bool:
    number = _EXTENSION.split(match[0])[0]
    digits = sum(map(str.isdigit, number))
    if not 7 <= digits <= 15 or _DATE.fullmatch(number):
        return False
    before = text[max(0, match.start() - 48) : match.start()]
    if _PHONE_WORD.search(before) or _LABEL_AFTER.match(text, match.end()):
        return True
    if number.startswith("+"):
        return _is_phone_abroad(number)
    if _GROUPED.fullmatch(number):
        return True
    return digits == 11 and number.isdigit() and number[0] == "1" and _is_valid(number, "CN")


def _is_phone_abroad(number: str) -> bool:
    if number[1:].isdigit():
        return _is_valid(number, None)
    parsed = _parse(number, None)
    return parsed is not None and phonenumbers.is_possible_number(parsed)


def _is_valid(number: str, region: str | None) -> bool:
    parsed = _parse(number, region)
    return parsed is not None and phonenumbers.is_valid_number(parsed)


def _parse(number: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
