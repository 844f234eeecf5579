"""E-mail addresses, web sites, and network addresses."""

import ipaddress
import re
from collections.abc import Iterator

from tasks.provenance.sensitivity.spans import Found, words_before

_AT = re.compile(rb"@(?=[^\W_])")
_LOCAL = re.compile(rb"[\w.!#$%&'*+/=?^`{|}~-]{1,64}\Z")
_LOCAL_START = b"!#$%&'*+/=?^`{|}~.-"
_HOST = re.compile(
    rb"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}"
    rb"(?:[A-Za-z]{2,24}|xn--[a-z0-9-]{2,59})(?![A-Za-z0-9_-]|\.[A-Za-z0-9])"
)
_SITE = re.compile(
    rb"://(?P<host>[A-Za-z0-9.-]{3,253}+)(?::\d{1,5}+)?+/?+(?![A-Za-z0-9_/?#@:=&%~$*{\[<])"
)
_SCHEME = re.compile(rb"(?:https?|ftp)\Z", re.IGNORECASE)
_IPV4_HINT = re.compile(rb"\.[0-9]{1,3}\.[0-9]{1,3}\.?[0-9]?")
_IPV4 = re.compile(rb"(?<![\w.\-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w\-]|\.\w)")
_VERSION = re.compile(
    r"(?:version|release|firmware|driver|kernel|section|chapter|版本?|\bver\.?|\brev\.?|\bv)"
    r"[\s:=v]*\Z".encode(),
    re.IGNORECASE,
)
_ADDRESS_WORD = words_before(
    r"\bip|addr|host|server|port|ping|route|gateway|\bdns|\bsrc|\bdst|\binet|from|connect|client"
    r"|login|user|地址|服务器|網址|访问",
    36,
)
_HEXADECIMAL = frozenset(b"0123456789abcdefABCDEF:")
_COLONS = re.compile(rb":[0-9a-fA-F]{0,4}:[0-9a-fA-F]")
_IPV6 = re.compile(rb"(?<![\w:.])[0-9a-fA-F:]{3,45}(?![\w:])")
_MAC = re.compile(rb"(?<![\w:])(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}(?![\w:])")
_LOOK_BACK = 64
_EXAMPLES = tuple(
    ipaddress.ip_network(block)
    for block in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)
"""Blocks kept for documents (RFC 5737, RFC 3849): nobody's address."""


def find_emails(data: bytes) -> Iterator[Found]:
    """Find e-mail addresses, starting from each @."""
    for at in _AT.finditer(data):
        local = _LOCAL.search(data[max(0, at.start() - _LOOK_BACK) : at.start()])
        host = _HOST.match(data, at.end())
        if local is None or host is None:
            continue
        name = local[0].lstrip(_LOCAL_START)
        if name and not name.endswith(b".") and b".." not in name:
            yield Found(3, at.start() - len(name), host.end(), "EMAIL_ADDRESS")


def find_sites(data: bytes) -> Iterator[Found]:
    """Find addresses of whole web sites: a URL with a host and no path."""
    for match in _SITE.finditer(data):
        scheme = _SCHEME.search(data[max(0, match.start() - 5) : match.start()])
        if scheme and _HOST.fullmatch(match["host"].rstrip(b".")):
            end = match.end() - match[0].endswith(b".")
            yield Found(6, match.start() - len(scheme[0]), end, "DOMAIN_NAME")


def find_addresses(data: bytes) -> Iterator[Found]:
    """Find IPv4, IPv6 and MAC addresses that may be somebody's."""
    for hint in _IPV4_HINT.finditer(data):
        match = _IPV4.search(data, max(0, hint.start() - 3), min(len(data), hint.end() + 6))
        if match and match.start() < hint.start() and _is_ipv4(data, match):
            yield Found(4, match.start(), match.end(), "IP_ADDRESS")
    for hint in _COLONS.finditer(data):
        yield from _at_colons(data, hint.start())


def _is_ipv4(data: bytes, match: re.Match[bytes]) -> bool:
    """Tell an address from a version or section number: by range, words around, and size."""
    try:
        address = ipaddress.IPv4Address(match[0].decode())
    except ValueError:
        return False
    if _is_nobodys(address) or address.packed[0] in (0, 255):
        return False
    before = data[max(0, match.start() - 40) : match.start()]
    if _VERSION.search(before):
        return False
    large = sum(octet >= 32 for octet in address.packed)
    return address.is_private or large >= 2 or bool(_ADDRESS_WORD.search(before))


def _is_nobodys(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if address.is_loopback or address.is_unspecified or address.is_multicast:
        return True
    return any(address in block for block in _EXAMPLES if block.version == address.version)


def _at_colons(data: bytes, at: int) -> Iterator[Found]:
    start = at
    while start > 0 and at - start < 5 and data[start - 1] in _HEXADECIMAL:
        start -= 1
    mac = _MAC.match(data, start)
    if mac:
        if int(mac[0][:2], 16) % 2 == 0 and set(mac[0]) != set(b"0:"):
            yield Found(4, mac.start(), mac.end(), "MAC_ADDRESS")
        return
    match = _IPV6.match(data, start)
    if match and _is_ipv6(match[0].decode()):
        yield Found(4, match.start(), match.end(), "IP_ADDRESS")


def _is_ipv6(text: str) -> bool:
    if max(map(len, text.split(":"))) < 3:  # a time or an EUI-64, which are pairs
        return False
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return not _is_nobodys(address)
