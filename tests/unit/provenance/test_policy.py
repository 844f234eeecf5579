"""What the policy decides on single expressions, and what selection and ingestion make of it."""

import pickle
from functools import partial

import pytest

from storage.errors import InputError, MissingError
from tasks.provenance.policy.decisions import (
    combine,
    decide,
    default_policy,
    load_policy,
    refusal_to_index,
    select_for_training,
)
from tasks.provenance.policy.file import parse_policy
from tasks.provenance.policy.table import USES

UNKNOWN_ROW = """
[[family]]
name = "unknown"
index = "deny"
train = "deny"
quote = "deny"
redistribute = "deny"
"""
RIGHTS = 'index = "allow"\ntrain = "allow"\nquote = "allow"\nredistribute = "allow"\n'


def verdicts(expression: str) -> list[str]:
    return [decide(expression, use).verdict for use in USES]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("CC0-1.0", ["allow", "allow", "allow", "allow"]),
        ("LicenseRef-scancode-public-domain", ["allow", "allow", "allow", "allow"]),
        ("MIT", ["allow", "attribute", "attribute", "attribute"]),
        ("CC-BY-4.0", ["allow", "attribute", "attribute", "attribute"]),
        ("CC-BY-SA-3.0", ["allow", "share-alike", "share-alike", "share-alike"]),
        ("CC-BY-NC-4.0", ["allow", "deny", "attribute", "deny"]),
        ("CC-BY-NC-SA-4.0", ["allow", "deny", "share-alike", "deny"]),
        ("CC-BY-ND-4.0", ["allow", "deny", "attribute", "attribute"]),
        ("GFDL-1.3-no-invariants-or-later", ["allow", "share-alike", "share-alike", "share-alike"]),
        ("AGPL-3.0-only", ["allow", "share-alike", "share-alike", "share-alike"]),
        ("NONE", ["allow", "deny", "deny", "deny"]),
        ("NOASSERTION", ["allow", "deny", "attribute", "deny"]),
        ("LicenseRef-of-ours", ["allow", "deny", "attribute", "deny"]),
        ("GPL-9.9-made-up", ["allow", "deny", "attribute", "deny"]),
        ("(MIT AND", ["allow", "deny", "attribute", "deny"]),
        ("", ["allow", "deny", "attribute", "deny"]),
    ],
)
def test_the_default_table_gives_each_family_its_verdicts(expression, expected):
    assert verdicts(expression) == expected


def test_every_family_of_the_default_is_reached():
    families = {family.name for family in default_policy().families}
    names = ["CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-SA-4.0", "CC-BY-NC-ND-4.0", "CC-BY-NC-4.0", "CC-BY-ND-4.0", "GFDL-1.3-only", "AGPL-3.0-only", "MPL-2.0", "GPL-2.0-only", "MIT", "NONE", "NOASSERTION"]  # fmt: skip
    assert {default_policy().family(name).name for name in names} == families


def test_or_takes_the_milder_arm_and_and_takes_all():
    chosen = decide("MIT OR GPL-3.0-only", "quote")
    assert (chosen.chosen, chosen.verdict) == ("MIT", "attribute")
    both = decide("MIT AND CC-BY-SA-4.0", "quote")
    assert both.verdict == "share-alike"
    assert {(o.licence, o.kind) for o in both.obligations} == {
        ("MIT", "attribute"),
        ("CC-BY-SA-4.0", "attribute"),
        ("CC-BY-SA-4.0", "share-alike"),
    }


def test_an_exception_is_kept_and_needs_a_row_of_its_own_to_count():
    expression = "GPL-2.0-only WITH Classpath-exception-2.0"
    assert decide(expression, "quote").chosen == expression
    policy = default_policy()
    assert policy.family(expression).name == "weak-copyleft"
    assert policy.family("GPL-2.0-only WITH no-such-exception").name == "strong-copyleft"
    assert policy.family("AGPL-3.0-only WITH Classpath-exception-2.0").name == "network-copyleft"


def test_a_denial_names_the_licence_that_denies_and_asks_for_nothing():
    denied = decide("MIT AND NONE", "quote")
    assert (denied.verdict, denied.obligations) == ("deny", ())
    assert "NONE (proprietary)" in denied.because
    assert "MIT" not in denied.because


def test_two_share_alike_licences_in_one_text_are_a_conflict():
    assert combine(["CC-BY-SA-4.0", "MIT"], "redistribute").conflicts == ()
    assert combine(["CC-BY-SA-4.0", "GFDL-1.3-only"], "redistribute").conflicts == (
        "CC-BY-SA-4.0",
        "GFDL-1.3-only",
    )


def test_a_text_of_no_source_owes_nothing():
    assert (combine([], "quote").verdict, combine([], "quote").chosen) == ("allow", "")


def test_training_rows_are_parted_with_reasons_and_counts():
    rows = [{"licence": name} for name in ("MIT", "CC-BY-NC-4.0", "", "CC-BY-NC-4.0", "CC0-1.0")]
    selection = select_for_training(rows)
    assert [row["licence"] for row in selection.allowed] == ["MIT", "CC0-1.0"]
    assert [one.row["licence"] for one in selection.refused] == ["CC-BY-NC-4.0", "", "CC-BY-NC-4.0"]
    assert selection.counts == {
        "CC-BY-NC-4.0 (noncommercial): train deny": 2,
        "NOASSERTION (unknown): train deny": 1,
    }
    assert [o.licence for o in selection.obligations] == ["MIT"]
    assert selection.policy == default_policy().digest


def test_a_refusal_to_index_names_licence_policy_and_way_out():
    policy = parse_policy(UNKNOWN_ROW, "strict.toml")
    reason = refusal_to_index(policy, "MIT")
    assert "MIT (unknown)" in reason
    assert "SUYUAN_POLICY" in reason
    assert refusal_to_index(default_policy(), "MIT") == ""
    assert pickle.loads(pickle.dumps(partial(refusal_to_index, policy)))("MIT") == reason


def test_a_file_may_extend_the_default_and_goes_first(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'extends = "default"\n[[family]]\nname = "ours"\nids = ["LicenseRef-of-ours"]\n' + RIGHTS
    )
    policy = load_policy(path)
    assert decide("LicenseRef-of-ours", "train", policy).verdict == "allow"
    assert decide("CC-BY-NC-4.0", "train", policy).verdict == "deny"
    assert policy.digest != default_policy().digest
    assert load_policy(None) is default_policy()


def test_the_digest_depends_on_the_table_not_on_its_file():
    assert (
        parse_policy(UNKNOWN_ROW, "a").digest == parse_policy("# why\n" + UNKNOWN_ROW, "b").digest
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[family]]\nname = "a"\nids = [\n  "MIT",\n  "NotReal-1.0",\n]\n' + RIGHTS, "line 5: 'NotReal-1.0'"),
        ('[[family]]\nname = "a"\n' + RIGHTS + 'publish = "allow"\n', "line 7: unknown use or key 'publish'"),
        ('[[family]]\nname = "a"\n' + RIGHTS.replace('"allow"', '"maybe"', 1), "line 3: index is 'maybe'"),
        (UNKNOWN_ROW + '[[family]]\nname = "a"\ntrain = "deny"\n', "line 8: family 'a' does not say what holds for 'index'"),
        ('[[family]]\nname = "a"\ncategories = ["Nice"]\n' + RIGHTS, "line 3: 'Nice' in categories"),
        ('[[family]]\nname = "a"\nterms = ["be kind"]\n' + RIGHTS, "line 3: 'be kind' in terms"),
        ('[[family]]\nname = "a"\nids = "MIT"\n' + RIGHTS, "line 3: ids must be a list"),
        ('[[family]]\nindex = "deny"\n', "line 1: a family needs a name"),
        (UNKNOWN_ROW + UNKNOWN_ROW, "line 10: family 'unknown' is there twice"),
        ('extends = "other"\n' + UNKNOWN_ROW, "line 1: extends is 'other'"),
        ("families = 1\n", "line 1: unknown key 'families'"),
        ("name = \n", "line 1"),
        ("", "no family is called 'unknown'"),
        ("[family]\nname = 'a'\n", "families are written as"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_named_with_its_line(text, says):
    with pytest.raises(InputError) as caught:
        parse_policy(text, "mine.toml")
    assert says in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_a_missing_or_unreadable_file_is_refused(tmp_path):
    with pytest.raises(MissingError, match="SUYUAN_POLICY"):
        load_policy(tmp_path / "none.toml")
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'name = "\xe9"')
    with pytest.raises(InputError, match="UTF-8"):
        load_policy(latin)
