"""Laws of the licence algebra, on random expressions over licences of every family."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.provenance.policy.decisions import combine, decide, default_policy
from tasks.provenance.policy.table import USES, VERDICTS

LEAVES = (
    "MIT", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-ND-4.0", "GFDL-1.3-only",
    "GPL-2.0-only WITH Classpath-exception-2.0", "GPL-3.0-or-later", "AGPL-3.0-only", "NONE",
    "NOASSERTION", "LicenseRef-of-ours",
)  # fmt: skip
expressions = st.recursive(
    st.sampled_from(LEAVES),
    lambda arm: st.builds("({}) {} ({})".format, arm, st.sampled_from(("AND", "OR")), arm),
    max_leaves=5,
)
uses = st.sampled_from(USES)
FEW = settings(max_examples=40, deadline=None)


def rank(expression: str, use: str) -> int:
    return VERDICTS.index(decide(expression, use).verdict)


@FEW
@given(expressions, expressions, expressions, uses)
def test_and_is_commutative_associative_and_idempotent(a, b, c, use):
    assert decide(f"({a}) AND ({b})", use) == decide(f"({b}) AND ({a})", use)
    left = decide(f"(({a}) AND ({b})) AND ({c})", use)
    assert left == decide(f"({a}) AND (({b}) AND ({c}))", use)
    assert decide(f"({a}) AND ({a})", use) == decide(a, use)


@FEW
@given(expressions, expressions, uses)
def test_deny_dominates_and_and_the_strictest_arm_decides(a, b, use):
    assert rank(f"({a}) AND ({b})", use) == max(rank(a, use), rank(b, use))


@FEW
@given(expressions, expressions, uses)
def test_or_is_as_good_as_its_best_arm_whatever_the_order(a, b, use):
    both = decide(f"({a}) OR ({b})", use)
    assert rank(f"({a}) OR ({b})", use) == min(rank(a, use), rank(b, use))
    assert both == decide(f"({b}) OR ({a})", use)
    assert both in (decide(a, use), decide(b, use))


@FEW
@given(st.lists(expressions, max_size=4), expressions, uses)
def test_one_more_source_never_loosens_anything(sources, more, use):
    before, after = combine(sources, use), combine([*sources, more], use)
    assert VERDICTS.index(after.verdict) >= VERDICTS.index(before.verdict)
    if after.allowed:
        assert set(after.obligations) >= set(before.obligations)
    assert set(after.conflicts) >= set(before.conflicts) or not after.allowed


@FEW
@given(st.lists(expressions, min_size=1, max_size=4), uses)
def test_a_text_of_several_sources_is_judged_like_their_conjunction(sources, use):
    joined = " AND ".join(f"({source})" for source in sources)
    assert combine(sources, use) == decide(joined, use)
    assert combine(reversed(sources), use) == combine(sources, use)


@FEW
@given(st.text(max_size=30), uses)
def test_what_cannot_be_read_is_treated_as_unknown(text, use):
    name = f"LicenseRef-{''.join(c for c in text if c.isascii() and c.isalnum())}-odd"
    assert decide(name, use).verdict == default_policy().family("NOASSERTION").verdict(use)


@FEW
@given(st.text(max_size=60), uses)
def test_any_text_gets_a_decision(text, use):
    assert decide(text, use).verdict in VERDICTS


@pytest.mark.parametrize("use", USES)
def test_nesting_beyond_the_parser_is_unknown(use):
    deep = "(" * 450 + "MIT" + ")" * 450
    assert decide(deep, use).verdict in {"attribute", decide("MIT", use).verdict, decide("NOASSERTION", use).verdict}  # fmt: skip
