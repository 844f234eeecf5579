"""Which documents can be found missing by a listing."""

from tasks.ingest.scope import scope_of
from tasks.ingest.sources import SourceSpec


def covers(uri, **fields):
    return scope_of(SourceSpec(name="s", **fields))(uri)


def test_a_folder_covers_what_lies_below_it_and_nothing_beside_it():
    assert covers("file:///data/docs/a%20b.md", locations=("/data/docs",))
    assert covers("file:///data/docs/deep/rows.jsonl#7", locations=("/data/docs/",))
    assert not covers("file:///data/docs2/a.md", locations=("/data/docs",))


def test_a_glob_covers_only_what_it_matches():
    assert covers("file:///data/docs/x/a.md", locations=("/data/docs/**/*.md",))
    assert not covers("file:///data/docs/x/a.txt", locations=("/data/docs/**/*.md",))


def test_a_file_covers_itself_and_its_rows():
    assert covers("file:///data/rows.csv#3", locations=("/data/rows.csv",))
    assert not covers("file:///data/rows.csv.gz", locations=("/data/rows.csv",))


def test_an_object_store_prefix_covers_its_objects():
    assert covers("s3://bucket/docs/a.md", locations=("s3://bucket/docs/",))
    assert not covers("s3://bucket/other/a.md", locations=("s3://bucket/docs/",))


def test_named_distributions_cover_only_themselves_in_any_version():
    uri = "pkg:pypi/faiss-cpu@1.2#METADATA"
    assert covers(uri, python_env=True)
    assert covers(uri, python_env=True, distributions=("Faiss_CPU",))
    assert not covers(uri, python_env=True, distributions=("dask",))
    assert not covers(uri, locations=("/data",))
