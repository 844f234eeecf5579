"""Which writings are one unit, and which are two."""

import pytest

from storage.errors import CorruptError
from storage.spans.units import UnitRule, current_rule, scanner


@pytest.fixture(scope="module")
def cut():
    return scanner(current_rule()).units


def hashes(cut, text):
    return cut(text.encode()).hashes.tolist()


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("Foo_Bar", "foobar"),
        ("don't", "DON’T"),
        ("**bold** text", "Bold TEXT"),
        ("__init__(self)", "init self"),
        ("ＡＢＣ１２３", "abc123"),
        ("Straße", "STRASSE"),
        ("\u00e9t\u00e9", "e\u0301te\u0301"),
        ("ﬁne", "fine"),
        ("soft\u00adhyphen", "softhyphen"),
        ("萬里長城，東起山海關", "万里长城 东起山海关"),
        ("ｶﾀｶﾅ", "カタカナ"),
        ("葛\U000e0100城", "葛城"),
        ("⼀", "一"),
        ("x² = ①", "x2 1"),
    ],
)
def test_two_writings_of_the_same_units(cut, written, same):
    assert hashes(cut, written) == hashes(cut, same)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("foo bar", "foobar"),
        ("a.b", "ab"),
        ("中国", "国中"),
        ("é", "e"),
        ("か", "カ"),
        ("12:30", "1230"),
    ],
)
def test_two_different_texts(cut, one, other):
    assert hashes(cut, one) != hashes(cut, other)


@pytest.mark.parametrize(
    ("text", "n"), [("中国abc中", 4), ("한국어 말", 2), ("สวัสดี", 6), ("", 0), ("--- *'_", 0)]
)
def test_number_of_units(cut, text, n):
    assert len(hashes(cut, text)) == n


def test_what_is_not_utf8_separates_and_does_no_harm(cut):
    text = b"good\xff\xfebad\xe4\xb8 end \xf0\x9f\x98\x80 \xed\xa0\x80ok\xc3"
    units = cut(text)
    found = [text[a:b] for a, b in zip(units.starts, units.ends, strict=True)]
    assert found == [b"good", b"bad", b"end", b"ok"]


def test_a_rule_comes_back_from_its_bytes():
    rule = current_rule()
    assert UnitRule.from_bytes(rule.to_bytes(), "rule") == rule
    assert "萬万" in rule.fold


def test_a_rule_of_another_version_is_refused():
    data = current_rule().to_bytes().replace(b"suyuan-units/1", b"suyuan-units/9")
    with pytest.raises(CorruptError, match="Build the span index again"):
        UnitRule.from_bytes(data, "rule")
