"""Laws of docstring extraction: everything is copied from the source, nothing private comes in."""

import ast
import inspect

from hypothesis import given
from hypothesis import strategies as st

from tasks.ingest.extract_code import extract_docstrings
from tasks.shared.layout import check_range, dump_layout, load_layout, tiles

NAMES = st.sampled_from(["run", "stop", "_hidden", "Reader", "__init__"])
LINES = st.lists(st.text("ab c.:\u4e2d\u00e9", max_size=12), min_size=1, max_size=5)
QUOTES = st.sampled_from(['"""', "'''"])


@st.composite
def modules(draw) -> str:
    blocks = [f'"""{draw(st.text("ab c", max_size=8))}"""']
    for _ in range(draw(st.integers(0, 4))):
        name, quote = draw(NAMES), draw(QUOTES)
        body = "\n    ".join(draw(LINES))
        head = draw(
            st.sampled_from([f"class {name}:", f"def {name}(a, b=1):", f"async def {name}():"])
        )
        blocks.append(f"{head}\n    {quote}{body}{quote}")
    return "\n\n".join(blocks) + "\n"


@given(modules(), st.booleans())
def test_every_byte_is_copied_from_the_source(module, windows):
    data = module.replace("\n", "\r\n").encode() if windows else module.encode()
    extraction = extract_docstrings(data, "m")
    text, layout = extraction.text.encode(), load_layout(dump_layout(extraction))
    assert tiles(layout.runs, len(text))
    assert check_range(data, text, layout, 0, len(text)) == ""


@given(modules())
def test_public_docstrings_are_there_and_private_ones_are_not(module):
    extraction = extract_docstrings(module.encode(), "m")
    tree = ast.parse(module)
    nodes = [
        n for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    wanted = [
        f"m.{node.name}"
        for node in nodes
        if not node.name.startswith("_") and (ast.get_docstring(node) or "").strip()
    ]
    assert [head.title for head in extraction.outline if head.title != "m"] == wanted
    for node in nodes:
        if not node.name.startswith("_"):
            for line in inspect.cleandoc(ast.get_docstring(node) or "").splitlines():
                assert line.strip() in extraction.text
