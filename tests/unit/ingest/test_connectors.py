"""What a source lists: files, globs, single files, remote objects, distributions."""

import os
import pickle
from pathlib import Path

import fsspec
import pytest

from tasks.ingest.connectors import list_items
from tasks.ingest.globs import path_matcher
from tasks.ingest.sources import SourceSpec, path_of


def listed(*locations: str, **spec) -> list[str]:
    source = SourceSpec(name="s", locations=locations, **spec)
    return [item.uri for item in list_items(source).items]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "a.md",
        "b.txt",
        "c.log",
        "sub/d.md",
        "sub/deep/e.rst",
        ".hidden/f.md",
        "g.csv.gz",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text")
    return tmp_path


def names(uris: list[str], root: Path) -> list[str]:
    return [uri.removeprefix(root.as_uri() + "/") for uri in uris]


def test_a_folder_lists_known_formats_below_it_but_nothing_hidden(tree):
    assert names(listed(str(tree)), tree) == [
        "a.md",
        "b.txt",
        "g.csv.gz",
        "sub/d.md",
        "sub/deep/e.rst",
    ]


def test_globs_match_paths_and_an_explicit_suffix_admits_any_format(tree):
    assert names(listed(f"{tree}/**/*.md"), tree) == ["a.md", "sub/d.md"]
    assert names(listed(f"{tree}/*.md"), tree) == ["a.md"]
    assert names(listed(f"{tree}/*.log"), tree) == ["c.log"]
    assert names(listed(f"{tree}/[ab].*"), tree) == ["a.md", "b.txt"]


def test_include_and_exclude_narrow_a_folder(tree):
    assert names(listed(str(tree), include=("*.md",), exclude=("sub/**",)), tree) == ["a.md"]


def test_a_named_file_is_listed_whatever_its_format(tree):
    assert names(listed(str(tree / "c.log")), tree) == ["c.log"]


def test_a_relative_location_and_a_file_url_give_absolute_uris(tree, monkeypatch):
    monkeypatch.chdir(tree / "sub")
    assert names(listed("../a.md"), tree) == ["a.md"]
    assert names(listed((tree / "a.md").as_uri()), tree) == ["a.md"]


def test_overlapping_locations_list_each_file_once(tree):
    assert len(listed(str(tree), str(tree / "sub"), f"{tree}/**/*.md")) == 5


def test_a_location_that_is_a_link_is_followed(tree, tmp_path_factory):
    link = tmp_path_factory.mktemp("links") / "docs"
    link.symlink_to(tree)
    assert listed(str(link))[0] == link.as_uri() + "/a.md"


@pytest.mark.parametrize("name", ["a b#c?d%41.txt", "中文.md", "[x].md", os.fsdecode(b"\xff.txt")])
def test_any_file_name_survives_the_uri(tmp_path, name):
    (tmp_path / name).write_text("text")
    (uri,) = listed(str(tmp_path / name))
    assert path_of(uri) == tmp_path / name
    assert uri.isascii()
    assert listed(str(tmp_path)) == [uri]


def test_listings_are_equal_and_travel_to_a_worker(tree):
    spec = SourceSpec(name="s", locations=(str(tree),))
    assert pickle.loads(pickle.dumps(list_items(spec))) == list_items(spec)


def test_objects_below_a_prefix_are_listed_with_their_sizes():
    fs = fsspec.filesystem("memory")
    for name in ("/bucket/a.md", "/bucket/sub/b.jsonl", "/bucket/c.bin", "/bucket/.x/d.md"):
        fs.pipe(name, b"12345")
    source = SourceSpec(name="s", locations=("memory://bucket",))
    assert [(item.uri, item.n_bytes) for item in list_items(source).items] == [
        ("memory:///bucket/a.md", 5),
        ("memory:///bucket/sub/b.jsonl", 5),
    ]
    assert listed("memory://bucket/**/*.jsonl") == ["memory:///bucket/sub/b.jsonl"]
    assert listed("memory://bucket/c.bin") == ["memory://bucket/c.bin"]


def test_an_unknown_bucket_or_protocol_is_rejected():
    spec = SourceSpec(name="s", locations=("memory://nowhere", "bogus://x/y"))
    assert sorted(reject.reason for reject in list_items(spec).rejects) == [
        "file.vanished",
        "remote.unreachable",
    ]


def test_distributions_are_listed_once_by_normalised_name():
    uris = listed(python_env=True, distributions=("PyStemmer", "charset_normalizer"))
    assert [uri.partition("@")[0] for uri in uris] == [
        "pkg:pypi/charset-normalizer",
        "pkg:pypi/pystemmer",
    ]


def test_the_listing_is_bounded_and_says_so(tree, monkeypatch):
    monkeypatch.setattr("tasks.ingest.connectors.MAX_ITEMS", 2)
    listing = list_items(SourceSpec(name="s", locations=(str(tree),)))
    assert (len(listing.items), listing.rejects[0].reason) == (2, "listing.too_long")


@pytest.mark.parametrize(
    ("pattern", "path", "wanted"),
    [
        ("*.md", "x/a.md", True),
        ("x/*.md", "x/a.md", True),
        ("x/*.md", "x/y/a.md", False),
        ("**/a.md", "a.md", True),
        ("**/a.md", "x/y/a.md", True),
        ("x/**", "x/y/a.md", True),
        ("[!a]?.md", "bc.md", True),
        ("[!a]?.md", "ac.md", False),
        ("[^].md", "^.md", True),
        ("a[.md", "a[.md", True),
        ("a+(b).md", "a+(b).md", True),
    ],
)
def test_patterns_keep_to_their_part_of_the_path(pattern, path, wanted):
    assert path_matcher([pattern])(path) is wanted


@pytest.mark.parametrize(
    "fields",
    [{"name": " "}, {"trust": 1.5}, {"locations": ()}, {"timeout_s": 0}, {"docstring_depth": -1}],
)
def test_a_source_that_cannot_work_is_refused(fields):
    with pytest.raises(ValueError, match=r"\w"):
        SourceSpec(**{"name": "s", "locations": ("x",), **fields})
