"""Laws of licence reading: SPDX or unknown, stable, blind to case, and nothing made up."""

from hypothesis import example, given
from hypothesis import strategies as st
from license_expression import get_spdx_licensing

from tasks.provenance.licences.detection import find_licence, normalise
from tasks.provenance.licences.names import known

SPDX = get_spdx_licensing()
IDS = ["MIT", "Apache-2.0", "BSD-3-Clause", "GPL-2.0-only", "GPL-3.0-or-later", "CC-BY-SA-4.0"]
NAMES = [
    "MIT License", "Apache 2.0", "GPLv3+", "BSD", "3-Clause BSD", "Public Domain", "LGPLv2.1 or later",
    "木兰宽松许可证 第2版", "PSF", "and", "or", "with", "(", ")", ",", "/", "::", "licensed under", "CC BY 4.0",
    "https://opensource.org/licenses/MIT", "LicenseRef-a", "version", "2", "+", "see LICENSE",
]  # fmt: skip
PIECES = st.lists(st.sampled_from(IDS + NAMES), max_size=7).map(" ".join)
DECLARATIONS = st.one_of(st.text(max_size=300), PIECES)
EXPRESSIONS = st.recursive(
    st.sampled_from(IDS),
    lambda inner: st.tuples(inner, st.sampled_from([" AND ", " OR "]), inner).map(
        lambda parts: f"({''.join(parts)})"
    ),
    max_leaves=5,
)
PLAIN = st.text(alphabet=st.characters(whitelist_categories=["Lu", "Ll", "Nd", "Zs", "Po"]))


def is_spdx(expression):
    symbols = SPDX.license_symbols(SPDX.parse(expression), decompose=False)
    return all(
        known(str(symbol).split(" WITH ")[0]) or str(symbol).startswith("LicenseRef-")
        for symbol in symbols
    )


@given(DECLARATIONS)
@example("(" * 999)
@example("MIT AND " * 400 + "MIT")
@example("MIT WITH MIT WITH MIT")
@example("\ud800")
def test_the_outcome_is_spdx_or_unknown_and_reading_it_again_changes_nothing(text):
    found = normalise(text)
    assert found == "NOASSERTION" or is_spdx(found)
    assert normalise(found) == found


@given(EXPRESSIONS)
def test_an_expression_keeps_its_meaning(text):
    assert SPDX.is_equivalent(normalise(text), text)


@given(PIECES)
def test_case_does_not_matter(text):
    assert normalise(text.upper()).casefold() == normalise(text.lower()).casefold()


@given(PLAIN.filter(lambda text: not known(text.strip().strip(".'\"`"))))
def test_random_words_name_no_licence(text):
    words = {word.strip(".,;:!?").casefold() for word in text.split()}
    names = {name.casefold() for name in SPDX.known_symbols}
    if not words & names:
        assert find_licence("", "none", text).expression == "NOASSERTION"


@given(st.sampled_from(IDS), st.text(max_size=200).map(lambda text: text.replace("SPDX", "")))
def test_a_header_is_found_whatever_follows(spdx_id, rest):
    found = find_licence("", "none", f"// SPDX-License-Identifier: {spdx_id}\n{rest}")
    assert (found.expression, found.evidence) == (spdx_id, "header")


@given(DECLARATIONS, st.sampled_from(["declared", "file", "none"]), st.text(max_size=300))
def test_a_finding_has_evidence_exactly_when_it_has_a_licence(declared, evidence, text):
    found = find_licence(declared, evidence, text)
    assert (found.evidence == "none") == (found.expression == "NOASSERTION")
    assert len(found.raw) <= 200
