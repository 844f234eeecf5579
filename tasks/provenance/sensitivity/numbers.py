"""Numbers that name a person or an account: phones, cards, IBANs, identity numbers.

All start from a run of digits with the separators that people put between them. Check digits,
issuer ranges and the words before decide what a run is.
"""

import re
from collections.abc import Iterator

import phonenumbers
from stdnum import iban, luhn
from stdnum.cn import ric

from tasks.provenance.sensitivity.spans import Found, digit_places, words_before

_RUN = re.compile(rb"[0-9](?:[ .()/\-]{0,3}[0-9]){6,}")
_EDGE = 40
"""Characters looked at on each side of a run: the prefix of an IBAN, an extension."""
_LEFT = rb"(?<![A-Za-z0-9_.,\-/+#$=])"
_RIGHT = rb"(?![A-Za-z0-9_=]|[.,\-/]\d)"
_SSN = re.compile(_LEFT + rb"(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}" + _RIGHT)
_RESIDENT = re.compile(rb"(?<![0-9A-Za-z_])[1-9]\d{16}[\dXx](?![0-9A-Za-z_])")
_CARD = re.compile(
    _LEFT + rb"(?:\d{12,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?"
    rb"|\d{4}([ -])\d{6}\2\d{5})" + _RIGHT
)
_IBAN = re.compile(
    rb"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,4})?(?![A-Za-z0-9])"
)
_IBAN_MAX = 42
_ISSUERS = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}"
    r"|(?:6011|65\d\d|64[4-9]\d)\d{12}|(?:2131|1800)\d{11}|35\d{14}|62\d{14,17}"
)
_CARD_WORD = words_before(r"card|\bcc\b|credit|debit|visa|amex|卡号?|卡號", 24)
_PHONE = re.compile(
    rb"(?<![A-Za-z0-9_.\-/#$=(+])(?<!\d,)(?:\+ ?)?+\(?+\d++\)?+(?:[ .\-/]{0,2}\(?\d++\)?+){0,6}"
    rb"(?: ?(?:x|ext\.?) ?\d{1,6})?(?![A-Za-z0-9_=]|[.,\-/:]\d)"
)
_EXTENSION = re.compile(r" ?(?:x|ext)")
_PHONE_WORD = words_before(
    r"phone|\btel\b|\bmobile|\bcell|\bfax|\bcall\b|\bdial|\bsms|\btext (?:me|us)|contact|reach"
    r"|whatsapp|\bdesk|hotline|answering|messages? to|registered|电话|手机|联系|号码|致电|拨打|传真"
    r"|電話|手機|聯繫|聯系|號碼|傳真",
    24,
)
_DATE = re.compile(
    r"(?:19|20)\d\d[-./ ]\d{1,2}[-./ ]\d{1,2}.*|\d{1,2}[-./]\d{1,2}[-./](?:19|20)\d\d"
    r"|(?:\d{1,3}\.){3}\d{1,3}(?![.\d]).*"
)
"""A date, or an address with a port: no phone, whatever stands before it."""
_GROUPED = re.compile(r"(?:\([2-9]\d\d\)|[2-9]\d\d[ .-])[ .-]?[2-9]\d\d[.-]\d{4}")
_LABEL_AFTER = re.compile(
    r"[\s\-(]{0,3}(?:(?:office|fax|mobile|home|work|cell|tel|desk|direct|phone)\b|办公|传真|手机|电话)".encode(),
    re.IGNORECASE,
)
_LICENCE = re.compile(
    rb"icen[cs]e(?:\s+(?:number|no\.?|#))?(?:\s+is)?[\s:#]*(?P<id>[A-Z]?\d[\d-]{5,16}\d)(?![\w-])"
)
_DRIVER = re.compile(rb"driver'?s?'?\s+l\Z", re.IGNORECASE)


def find_numbers(data: bytes) -> Iterator[Found]:
    """Find phones, cards, IBANs and identity numbers."""
    done = 0
    for at in digit_places(data).tolist():
        run = _RUN.match(data, at) if at >= done else None
        if run is not None:
            done = run.end()
            yield from _find_ids(data, at, done)
            yield from _find_phones(data, at, done)
    for match in _LICENCE.finditer(data):
        if _DRIVER.search(data[max(0, match.start() - 12) : match.start()]):
            yield Found(1, match.start("id"), match.end("id"), "US_DRIVER_LICENSE")


def _find_ids(data: bytes, start: int, end: int) -> Iterator[Found]:
    stop = min(len(data), end + 2)
    for match in _SSN.finditer(data, start, stop):
        yield Found(2, match.start(), match.end(), "US_SSN")
    if end - start >= 12:
        for match in _CARD.finditer(data, start, stop):
            if _is_card(data, match):
                yield Found(3, match.start(), match.end(), "CREDIT_CARD")
        for match in _RESIDENT.finditer(data, start, stop):
            if ric.is_valid(match[0].decode()):
                yield Found(2, match.start(), match.end(), "CN_RESIDENT_ID")
    if data[max(0, start - 2) : start].strip().isalpha():
        yield from _find_ibans(data, max(0, start - _IBAN_MAX), min(len(data), end + _EDGE))


def _find_ibans(data: bytes, low: int, high: int) -> Iterator[Found]:
    for match in _IBAN.finditer(data, low, high):
        if iban.is_valid(match[0].decode(), check_country=False):
            yield Found(2, match.start(), match.end(), "IBAN_CODE")


def _is_card(data: bytes, match: re.Match[bytes]) -> bool:
    digits = re.sub(r"[ -]", "", match[0].decode())
    if len(set(digits)) < 2 or not luhn.is_valid(digits):
        return False
    if _ISSUERS.fullmatch(digits):
        return True
    return bool(_CARD_WORD.search(data[max(0, match.start() - 48) : match.start()]))


def _find_phones(data: bytes, start: int, end: int) -> Iterator[Found]:
    stop = min(len(data), end + _EDGE)
    for match in _PHONE.finditer(data, max(0, start - 3), stop):
        cut = match.end() + 2 > stop and stop < len(data)
        if not cut and match.end() > start and _is_phone(data, match):
            yield Found(5, match.start(), match.end(), "PHONE_NUMBER")


def _is_phone(data: bytes, match: re.Match[bytes]) -> bool:
    number = _EXTENSION.split(match[0].decode())[0]
    digits = sum(map(str.isdigit, number))
    if not 7 <= digits <= 15 or _DATE.fullmatch(number):
        return False
    before = data[max(0, match.start() - 48) : match.start()]
    if _PHONE_WORD.search(before) or _LABEL_AFTER.match(data, match.end()):
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
