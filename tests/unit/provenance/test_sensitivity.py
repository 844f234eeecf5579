"""Personal data and secrets are found where they are, and look-alikes are left alone."""

import pytest

from storage.records import Extraction, RawDocument
from tasks.provenance.sensitivity.detection import KINDS, find_sensitive, tag_sensitivity

ITEMS = {
    "write to anna.b+news@mail.example.org today": (
        "EMAIL_ADDRESS",
        "anna.b+news@mail.example.org",
    ),
    "Call 408-957-7274 now": ("PHONE_NUMBER", "408-957-7274"),
    "Tel: +46 (0)8 928 571 38.": ("PHONE_NUMBER", "+46 (0)8 928 571 38"),
    "03.93.92.16.85 (fax)": ("PHONE_NUMBER", "03.93.92.16.85"),
    "手机号码13812345678，谢谢": ("PHONE_NUMBER", "13812345678"),
    "card 4111 1111 1111 1111": ("CREDIT_CARD", "4111 1111 1111 1111"),
    "my card # 060426070011 is lost": ("CREDIT_CARD", "060426070011"),
    "IBAN GB82 WEST 1234 5698 7654 32": ("IBAN_CODE", "GB82 WEST 1234 5698 7654 32"),
    "SSN 460-89-9847": ("US_SSN", "460-89-9847"),
    "My driver's license number is F162823540116": ("US_DRIVER_LICENSE", "F162823540116"),
    "身份证号11010519491231002X。": ("CN_RESIDENT_ID", "11010519491231002X"),
    "from 86.121.97.248:22": ("IP_ADDRESS", "86.121.97.248"),
    "via 6e40:4041:c617:e898:c11:40d2:c669:2eb4": (
        "IP_ADDRESS",
        "6e40:4041:c617:e898:c11:40d2:c669:2eb4",
    ),
    "ether 90:e2:ba:0a:56:b4": ("MAC_ADDRESS", "90:e2:ba:0a:56:b4"),
    "posted on https://www.ArtistMovie.se/ today": ("DOMAIN_NAME", "https://www.ArtistMovie.se/"),
    "postgres://bob:hunter22@db/x": ("PASSWORD", "hunter22"),
    'DB_PASSWORD="s3cr3t-Pw!"': ("PASSWORD", "s3cr3t-Pw!"),
    "密码：abc12345": ("PASSWORD", "abc12345"),
    "x-api-key: abcd1234efgh5678ijkl": ("SECRET_KEY", "abcd1234efgh5678ijkl"),
    "id AKIAIOSFODNN7EXAMPLE": ("SECRET_KEY", "AKIAIOSFODNN7EXAMPLE"),
    f"ghp_{'a1B2c3D4e5F6' * 3}": ("SECRET_KEY", f"ghp_{'a1B2c3D4e5F6' * 3}"),
}
LOOK_ALIKES = [
    "version 1.2.3.4 of the library",
    "see section 38.12.3.1",
    "127.0.0.1 and 0.0.0.0 and 255.255.255.0 and 192.0.2.7",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "on 2008-02-01 and 12/31/1999",
    "-9223372036854775808 to +9223372036854775807",
    "3.141592653589793 and 1,234,567,890",
    "card 4111 1111 1111 1112",
    "GB82 WEST 1234 5698 7654 33",
    "token = request.headers.get('X')",
    "password: Optional[str]",
    "password=correcthorse",
    "sort_key = abcdefgh12345678ijkl",
    "at 12:34:56 on port a:b:c",
    "0x00000036, 0x00000006, 0x00000016",
    "@decorator and user@host",
    "https://example.org/path/to",
    "AKIAAAAAAAAAAAAAAAAA",
    'MARKERS = ("-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----")',
]


@pytest.mark.parametrize(("text", "item"), ITEMS.items())
def test_an_item_is_found_whole(text, item):
    data = text.encode()
    assert [(s.kind, data[s.start : s.end].decode()) for s in find_sensitive(text)] == [item]


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_a_look_alike_is_left_alone(text):
    assert find_sensitive(text) == []


@pytest.mark.parametrize("head", ["", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A1B\n\n"])
def test_a_private_key_is_one_span(head):
    body = head + "MIIEowIBAAKCAQEA" * 9
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"
    (span,) = find_sensitive(f"键：{key}\n")
    assert (span.kind, span.end - span.start) == ("PRIVATE_KEY", len(key))


def test_of_overlapping_spans_the_stronger_is_kept():
    text = "https://bob:hunter22@mail.example.org"
    assert [span.kind for span in find_sensitive(text)] == ["PASSWORD"]


def test_offsets_count_bytes_and_the_row_holds_no_value():
    extraction = Extraction(text="电邮 a@b.cn", origin="identity")
    raw = RawDocument(uri="file:///a", data=b"", mime="text/plain")
    row = tag_sensitivity(raw, extraction)
    assert row == {"sensitivity": [{"kind": "EMAIL_ADDRESS", "start": 7, "end": 13}]}


def test_every_kind_is_exercised_here():
    shown = {kind for kind, _ in ITEMS.values()} | {"PRIVATE_KEY"}
    assert shown == set(KINDS)
