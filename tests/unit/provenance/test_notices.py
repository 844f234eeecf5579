"""The notices that a stored answer owes."""

from dataclasses import replace

import pytest

from tasks.provenance.policy.decisions import default_policy
from tasks.provenance.policy.notices import licence_name, licence_url, owed_notices

POLICY = default_policy()


@pytest.mark.parametrize(
    ("licence", "name", "url"),
    [
        ("MIT", "MIT License", "https://spdx.org/licenses/MIT.html"),
        ("CC-BY-SA-4.0", "Creative Commons Attribution-ShareAlike 4.0",
         "https://creativecommons.org/licenses/by-sa/4.0/"),
        ("CC-BY-3.0-US", "Creative Commons Attribution 3.0 US",
         "https://creativecommons.org/licenses/by/3.0/us/"),
        ("GPL-3.0-or-later", "GNU General Public License 3.0 or later",
         "https://spdx.org/licenses/GPL-3.0-or-later.html"),
        ("LGPL-2.1-only", "GNU Lesser General Public License 2.1",
         "https://spdx.org/licenses/LGPL-2.1-only.html"),
        ("GFDL-1.3-no-invariants-or-later", "GNU Free Documentation License 1.3 or later",
         "https://spdx.org/licenses/GFDL-1.3-no-invariants-or-later.html"),
        ("GPL-2.0-only WITH Classpath-exception-2.0",
         "GNU General Public License 2.0 with Classpath-exception-2.0",
         "https://spdx.org/licenses/GPL-2.0-only.html"),
        ("Vim", "Vim", "https://spdx.org/licenses/Vim.html"),
        ("LicenseRef-of-ours", "LicenseRef-of-ours", ""),
        ("NOASSERTION", "licence unknown", ""),
    ],
)  # fmt: skip
def test_a_licence_is_named_with_the_address_of_its_text(licence, name, url):
    assert (licence_name(licence), licence_url(licence)) == (name, url)


def with_licence(stored, **licences):
    """The stored answer, cut down to some documents, under other licences and grades."""
    answer = stored.home.ledger.answer(stored.answer_id)
    cited = [
        replace(stored.citations[f"{name}.md" if name == "plain" else name], licence=licence)
        for name, licence in licences.items()
    ]
    return replace(answer, citations=tuple(cited))


def test_each_document_gets_one_notice_with_title_owner_place_and_licence(stored):
    answer = stored.home.ledger.answer(stored.answer_id)
    twice = replace(answer, citations=(*answer.citations, answer.citations[0]))
    owed = owed_notices(stored.home, twice, POLICY)
    assert [notice.title for notice in owed.notices] == list(stored.citations)
    assert owed.notices[0].text == (
        "“plain.md” by Elements Inc., file:///docs/plain.md. Creative Commons Attribution 4.0 "
        "(CC-BY-4.0, https://creativecommons.org/licenses/by/4.0/). Quoted verbatim."
    )
    assert "《plain.md》，Elements Inc." in owed.notices[0].text_zh
    assert (owed.verdict, owed.conflicts) == ("attribute", ())


def test_the_public_domain_is_owed_nothing(stored):
    owed = owed_notices(stored.home, with_licence(stored, plain="CC0-1.0"), POLICY)
    assert (owed.notices, owed.verdict) == ((), "allow")


def test_of_a_choice_the_arm_that_asks_least_is_named(stored):
    owed = owed_notices(stored.home, with_licence(stored, plain="GPL-2.0-only OR MIT"), POLICY)
    (notice,) = owed.notices
    assert (notice.licence, notice.chosen, notice.obligations) == (
        "GPL-2.0-only OR MIT",
        "MIT",
        ("attribute",),
    )


def test_share_alike_and_further_terms_are_said(stored):
    owed = owed_notices(stored.home, with_licence(stored, plain="CC-BY-NC-SA-4.0"), POLICY)
    (notice,) = owed.notices
    assert "must be shared under the same licence" in notice.text
    assert "For non-commercial use only." in notice.text
    assert "仅限非商业使用" in notice.text_zh


def test_an_unknown_licence_is_shown_as_unknown(stored):
    (notice,) = owed_notices(stored.home, with_licence(stored, plain="NOASSERTION"), POLICY).notices
    assert "licence unknown (NOASSERTION)" in notice.text
    assert "Ask its owner" in notice.text


def test_a_licence_that_has_no_other_name_is_named_once(stored):
    for licence, said in (
        ("LicenseRef-ours", " LicenseRef-ours. Quoted"),
        ("Vim", " Vim (https://spdx.org/licenses/Vim.html). Quoted"),
    ):
        (notice,) = owed_notices(stored.home, with_licence(stored, plain=licence), POLICY).notices
        assert said in notice.text


def test_other_words_are_said_to_be_other_words(stored):
    answer = with_licence(stored, plain="MIT")
    changed = replace(answer, citations=(replace(answer.citations[0], grade="cited"),))
    assert "in part in other words" in owed_notices(stored.home, changed, POLICY).notices[0].text


def test_two_share_alike_licences_in_one_answer_are_named(stored):
    answer = with_licence(stored, **{"plain": "CC-BY-SA-4.0", "page.html": "GFDL-1.3-only"})
    assert owed_notices(stored.home, answer, POLICY).conflicts == ("CC-BY-SA-4.0", "GFDL-1.3-only")


def test_a_refusal_owes_nothing(stored):
    answer = replace(stored.home.ledger.answer(stored.answer_id), citations=())
    assert owed_notices(stored.home, answer, POLICY).notices == ()
