"""E-mail addresses, web sites, and network addresses."""

import ipaddress
import re
from collections.abc import Iterator

from tasks.provenance.sensitive_spans import Found

_AT = re.compile(r"@(?=[^\W_])")
_LOCAL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}\Z")
_HOST = re.compile(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,59})(?![\w-]|\.\w)"
)
_LOCAL_START = "!#$%&'*+/=?^`{|}~.-"
_URL = re.compile(
    r"://(?P<host>[^\s/:@<>\"'()\[\]{},;，。]{3,253})(?P<port>:\d{1,5})?(?P<slash>/?)(?=[\s<>\"'),;，。]|[.!?](?:\s|\Z)|\Z)"
)
_SCHEME = re.compile(r"(?:https?|ftp)\Z", re.IGNORECASE)
_IPV4 = re.compile(r"(?<![\w.\-/])(?:\d{1,3}\.){3}\d{1,3}(?![\w\-]|\.\w)")
_IPV4_HINT = re.compile(r"\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|\.[0-9]{1,3}\.[0-9]{1,3}(?=\Z)")
_VERSION = re.compile(
    r"(?:version|release|firmware|driver|kernel|section|chapter|版本?|\bver\.?|\brev\.?|\bv)[\s:=v]*\Z",
    re.IGNORECASE,
)
_COLONS = re.compile(r":[0-9a-fA-F]{0,4}:[0-9a-fA-F]")
_IPV6 = re.compile(r"(?<![\w:.])[0-9a-fA-F:]{3,45}(?![\w:])")
_MAC = re.compile(r"(?<![\w:-])(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}(?![\w:-])")
LOOK_BACK = 64


def find_emails(text: str) -> Iterator[Found]:
    """Find e-mail addresses, starting from each @."""
    for at in _AT.finditer(text):
        local = _LOCAL.search(text[max(0, at.start() - LOOK_BACK) : at.start()])
        host = _HOST.match(text, at.end())
        if local is None or host is None:
            continue
        name = local[0].lstrip(_LOCAL_START)
        if name and not name.endswith(".") and ".." not in name:
            yield Found(3, at.start() - len(name), host.end(), "EMAIL_ADDRESS")


def find_sites(text: str) -> Iterator[Found]:
    """Find addresses of whole web sites: a URL with a host and no path."""
    for match in _URL.finditer(text):
        scheme = _SCHEME.search(text[max(0, match.start() - 5) : match.start()])
        if scheme and _HOST.fullmatch(match["host"]):
            yield Found(6, match.start() - len(scheme[0]), match.end(), "DOMAIN_NAME")


def find_addresses(text: str) -> Iterator[Found]:
    """Find IPv4, IPv6 and MAC addresses."""
    yield from _find_ipv4(text)
    done = 0
    for hint in _COLONS.finditer(text):
        if hint.start() < done:
            continue
        start = _run_start(text, hint.start())
        for pattern, kind in ((_MAC, "MAC_ADDRESS"), (_IPV6, "IP_ADDRESS")):
            match = pattern.match(text, start)
            if match and (kind == "MAC_ADDRESS" or _is_ipv6(match[0])):
                yield Found(4, match.start(), match.end(), kind)
                done = match.end()
                break


def _run_start(text: str, at: int) -> int:
    start = at
    while start > 0 and at - start < 5 and text[start - 1] in "0123456789abcdefABCDEF:":
        start -= 1
    return start


def _is_ipv6(text: str) -> bool:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified) and text.count(":") >= 3


def _find_ipv4(text: str) -> Iterator[Found]:
    for hint in re.finditer(r"\.[0-9]{1,3}\.[0-9]{1,3}", text):
        match = _IPV4.match(text, max(0, hint.start() - 3)) or _IPV4.search(
            text, max(0, hint.start() - 3), hint.end() + 5
        )
        if match and match.start() < hint.start() and _is_ipv4(text, match):
            yield Found(4, match.start(), match.end(), "IP_ADDRESS")


def _is_ipv4(text: str, match: re.Match[str]) -> bool:
    try:
        address = ipaddress.IPv4Address(match[0])
    except ValueError:
        return False
    if (
        address.is_loopback
        or address.is_unspecified
        or address.is_multicast
        or address.packed[0] in (0, 255)
    ):
        return False
    if _VERSION.search(text[max(0, match.start() - 24) : match.start()]):
        return False
    return max(address.packed) >= 32 or address.is_private
