"""Encodings of real use are recognised; binary content is not taken for text."""

import pytest

from tasks.ingest.decode import decode, guess_encoding
from tasks.ingest.extract_text import extract_text
from tasks.ingest.failures import ExtractError
from tasks.ingest.formats import TEXT

ZH = "中文自然语言处理是计算机科学的一个重要分支，它研究人与计算机之间用自然语言进行通信的方法。"
TW = "臺灣的正體中文使用大五碼編碼，許多舊網頁仍然採用這種編碼方式，讀取時必須先轉換。"
JA = "日本語の文章です。東京は日本の首都であり、世界最大の都市の一つである。"
KO = "서울은 대한민국의 수도이며 세계에서 가장 큰 도시 중 하나입니다."
RU = "Москва является столицей России и крупнейшим городом страны."
FR = "À l'été, les élèves français étudient à l'école près de la forêt; où êtes-vous allé?"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (ZH, "gb18030"),
        (ZH, "utf-16"),
        (ZH, "utf-32"),
        (TW, "big5"),
        (JA, "shift_jis"),
        (JA, "euc_jp"),
        (KO, "euc_kr"),
        (RU, "cp1251"),
        (RU, "koi8_r"),
        (FR, "cp1252"),
        (FR, "utf-8-sig"),
        ("plain words, many of them", "utf-16-le"),
        ("plain words, many of them", "utf-16-be"),
    ],
)
def test_text_in_an_old_encoding_is_recoded_exactly(text, encoding):
    extraction = extract_text(text.encode(encoding), TEXT)
    assert (extraction.text, extraction.origin) == (text, "recoded")


@pytest.mark.parametrize(
    "data", [b"a\r\nb\rc\n", b"a\0b" + b"c" * 200, "\ufeffx".encode()[3:], ZH.encode()]
)
def test_utf8_is_kept_byte_for_byte(data):
    extraction = extract_text(data, TEXT)
    assert extraction.origin == "identity"
    assert extraction.text.encode() == data


def test_a_declared_encoding_goes_before_a_guess():
    data = "Příliš žluťoučký kůň".encode("iso8859_2")
    assert decode(data, "iso-8859-2") == ("Příliš žluťoučký kůň", "iso8859-2")


def test_a_wrong_or_unknown_declaration_does_no_harm():
    assert decode(ZH.encode(), "gb2312")[0] != ""
    assert decode(ZH.encode(), "klingon")[0] == ZH
    assert decode(ZH.encode(), "rot13")[0] == ZH


@pytest.mark.parametrize(
    "data", [b"\x7fELF\x02\x01\x01" + bytes(64), bytes(100), b"\x00\x01\x02" * 50]
)
def test_binary_content_is_refused(data):
    with pytest.raises(ExtractError) as caught:
        decode(data)
    assert caught.value.reason == "text.binary"


def test_a_stream_is_named_by_its_head_even_if_a_character_is_cut():
    assert guess_encoding(ZH.encode()[:-1]) == "utf-8-sig"
    assert guess_encoding(ZH.encode("utf-16")) == "utf-16"
    assert guess_encoding((ZH + "\n").encode("gb18030")) == "gb18030"
