"""The stored form of a layout: blobs written by an earlier version must stay readable.

After an intended change: `SUYUAN_REMAKE_GOLDEN=1 pytest tests/unit/shared/test_layout_golden.py`.
"""

import os
from pathlib import Path

from tasks.ingest.extract_html import extract_html
from tasks.shared.layout import dump_layout, load_layout

GOLDEN = Path(__file__).parents[2] / "golden" / "layout.json"
PAGE = "<title>页</title><h1>标题 one</h1><p>a &amp; b\n   c</p><ul><li>x<li>y</ul>".encode()


def test_a_layout_is_written_as_it_always_was():
    data = dump_layout(extract_html(PAGE))
    if os.environ.get("SUYUAN_REMAKE_GOLDEN"):
        GOLDEN.write_bytes(data + b"\n")
    assert GOLDEN.read_bytes().rstrip() == data
    assert load_layout(GOLDEN.read_bytes()).runs == extract_html(PAGE).runs
