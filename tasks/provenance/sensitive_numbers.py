"""Numbers that name a person or an account: phones, cards, IBAN, identity numbers.

All start from a run of digits with the separators that people put between them; check digits,
issuer ranges and the words around decide what a run is.
"""

import re
from collections.abc import Iterator

import phonenumbers
from stdnum import iban, luhn
from stdnum.cn import ric

from tasks.provenance.sensitive_spans import Found

_RUN = re.compile(r"[0-9][0-9 .()/\-]{4,}[0-9]")
_EDGE = 28
"""Characters looked at on each side of a run: the prefix of an IBAN, a plus sign, an extension."""
_LEFT = r"(?<![\w.,\-/+#$=])"
_RIGHT = r"(?![\w=]|[.,\-/]\d)"
_SSN = re.compile(rf"{_LEFT}(?!000|666|9\d\d)\d{{3}}-(?!00)\d\d-(?!0000)\d{{4}}{_RIGHT}")
_RESIDENT = re.compile(r"(?<![0-9A-Za-z_])[1-9]\d{16}[\dXx](?![0-9A-Za-z_])")
_CARD = re.compile(
    rf"{_LEFT}(?:\d{{12,19}}|\d{{4}}([ -])\d{{4}}\1\d{{4}}\1\d{{1,4}}(?:\1\d{{1,3}})?|\d{{4}}([ -])\d{{6}}\2\d{{5}}){_RIGHT}"
)
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,4})?(?![A-Za-z0-9])"
)
_PHONE = re.compile(
    r"(?<![\w.,\-/#$=(+])(?:\+ ?|00)?\(?\d{1,5}\)?(?:[ .\-/]{0,2}\(?\d{1,5}\)?){1,6}(?: ?(?:x|ext\.?) ?\d{1,6})?"
    + r"(?![\w=]|[.,\-/:]\d)"
)
_PHONE_WORD = re.compile(
    r"(?:phone|\btel|mobile|\bcell|\bfax|\bcall|\bdial|\bsms|\btext (?:me|us)|contact|reach|whatsapp|\bdesk|hotline|"
    r"answer\w*|messages? to|registered|电话|手机|联系|号码|致电|拨打|传真|電話|手機|聯繫|傳真)[^\n]{0,24}\s*\Z",
    re.IGNORECASE,
)
_CARD_WORD = re.compile(
    r"(?:card|\bcc\b|credit|debit|visa|amex|卡号?|卡號)[^\n]{0,24}\Z", re.IGNORECASE
)
_LICENCE_WORD = re.compile(
    r"driver'?s?'?\s+licen[cs]e(?:\s+(?:number|no\.?|#))?(?:\s+is)?[\s:#]*(?P<id>[A-Z]?\d[\d-]{5,16}\d)",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?:19|20)\d\d[-./ ]\d{1,2}[-./ ]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./](?:19|20)?\d\d"
)
_GROUPED = re.compile(r"\(?[2-9]\d\d\)?[ .-]{1,2}[2-9]\d\d[.-]\d{4}(?: ?(?:x|ext\.?) ?\d{1,6})?\Z")
_ISSUERS = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:6011|65\d\d|64[4-9]\d)\d{12}|(?:2131|1800)\d{11}|35\d{14}|62\d{14,17}"
)
_MAESTRO = re.compile(r"(?:50|5[6-9]|6\d)\d{10,17}")


def find_numbers(text: str) -> Iterator[Found]:
    """Find phones, cards, IBANs and identity numbers."""
    for run in _RUN.finditer(text):
        low, high = max(0, run.start() - _EDGE), min(len(text), run.end() + _EDGE)
        yield from _find_ids(text, low, high)
        yield from _find_phones(text, run.start(), run.end())
    if "icense" in text or "ICENSE" in text:
        for match in _LICENCE_WORD.finditer(text):
            yield Found(1, match.start("id"), match.end("id"), "US_DRIVER_LICENSE")


def _find_ids(text: str, low: int, high: int) -> Iterator[Found]:
    for match in _SSN.finditer(text, low, high):
        yield Found(2, match.start(), match.end(), "US_SSN")
    for match in _RESIDENT.finditer(text, low, high):
        if ric.is_valid(match[0]):
            yield Found(2, match.start(), match.end(), "CN_RESIDENT_ID")
    for match in _IBAN.finditer(text, low, high):
        if iban.is_valid(match[0], check_country=False):
            yield Found(2, match.start(), match.end(), "IBAN_CODE")
    for match in _CARD.finditer(text, low, high):
        if _is_card(text, match):
            yield Found(3, match.start(), match.end(), "CREDIT_CARD")


def _is_card(text: str, match: re.Match[str]) -> bool:
    digits = re.sub(r"[ -]", "", match[0])
    if len(set(digits)) < 3 or not luhn.is_valid(digits):
        return False
    if _ISSUERS.fullmatch(digits):
        return True
    named = _CARD_WORD.search(text[max(0, match.start() - 48) : match.start()])
    return bool(named and _MAESTRO.fullmatch(digits))


def _find_phones(text: str, start: int, end: int) -> Iterator[Found]:
    for match in _PHONE.finditer(text, max(0, start - 3), min(len(text), end + 12)):
        if match.end() > start and _is_phone(text, match):
            yield Found(5, match.start(), match.end(), "PHONE_NUMBER")


def _is_phone(text: str, match: re.Match[str]) -> bool:
    number = match[0]
    digits = sum(char.isdigit() for char in number.split("x")[0].split("e")[0])
    if not 7 <= digits <= 15 or _DATE.match(number):
        return False
    if _PHONE_WORD.search(text[max(0, match.start() - 48) : match.start()]):
        return True
    if number.startswith("+"):
        return _valid(number, None)
    if _GROUPED.match(number):
        return True
    return digits == 11 and number.isdigit() and number.startswith("1") and _valid(number, "CN")


def _valid(number: str, region: str | None) -> bool:
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_possible_number(parsed)
