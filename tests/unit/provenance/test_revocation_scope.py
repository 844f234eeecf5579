"""A scope names a source, a document or a licence, and nothing by accident."""

import pytest

from storage.errors import InputError
from tasks.provenance.revocation.scope import licence_matches, parse_scope

SHA = "a" * 64


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("alpha", "source:alpha"),
        ("source:alpha", "source:alpha"),
        (" source: two words ", "source:two words"),
        ("https://example.org", "source:https://example.org"),
        (SHA, f"doc:{SHA}"),
        (f"doc:{SHA}", f"doc:{SHA}"),
        ("licence:GPL-*", "licence:GPL-*"),
        ("license:GPL-3.0-only OR MIT", "licence:GPL-3.0-only OR MIT"),
        (f"source:{SHA}", f"source:{SHA}"),
    ],
)
def test_a_scope_is_read(text, scope):
    assert str(parse_scope(text)) == scope


@pytest.mark.parametrize("text", ["", " ", "doc:abc", f"doc:{SHA[:20]}", "licence:", "source: "])
def test_what_names_nothing_is_refused(text):
    with pytest.raises(InputError, match="source:NAME"):
        parse_scope(text)


@pytest.mark.parametrize(
    ("expression", "pattern", "fits"),
    [
        ("GPL-3.0-only", "GPL-*", True),
        ("GPL-3.0-only", "gpl-3.0-ONLY", True),
        ("LGPL-2.1-only", "GPL-*", False),
        ("MIT OR GPL-2.0-only", "GPL-*", True),
        ("(MIT AND GPL-2.0-only) OR Apache-2.0", "GPL-*", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "Classpath-*", True),
        ("MIT OR Apache-2.0", "MIT OR Apache-2.0", True),
        ("MIT OR Apache-2.0", "OR", False),
        ("", "*", True),
        ("MIT", "", False),
    ],
)
def test_a_licence_fits_a_pattern_by_the_whole_or_by_one_of_its_names(expression, pattern, fits):
    assert licence_matches(expression, pattern) is fits
