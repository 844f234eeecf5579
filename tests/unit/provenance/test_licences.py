"""Licences are read from declarations, headers, texts and prose, and never made up."""

from pathlib import Path

import pytest

from storage.records import Extraction, RawDocument
from tasks.provenance.licences.detection import find_licence, match_text, normalise, tag_licence
from tasks.provenance.licences.texts import find_texts

MIT = """Copyright (c) 2026 A. Person

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
BSD3 = """Redistribution and use in source and binary forms, with or without modification, are
permitted provided that the following conditions are met:

1. Redistributions of source code must retain the above copyright notice, this list of conditions
and the following disclaimer.

2. Redistributions in binary form must reproduce the above copyright notice, this list of
conditions and the following disclaimer in the documentation and/or other materials provided with
the distribution.

3. Neither the name of the copyright holder nor the names of its contributors may be used to
endorse or promote products derived from this software without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR
IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND
FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR
CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE,
DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER
IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT
OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
"""

NAMES = {
    "gpl-2.0": "GPL-2.0-only",
    "GPL-2.0+": "GPL-2.0-or-later",
    "(GPL-2.0 OR MIT)": "GPL-2.0-only OR MIT",
    "GPL-2.0 WITH Linux-syscall-note": "GPL-2.0-only WITH Linux-syscall-note",
    "LicenseRef-Ours": "LicenseRef-Ours",
    "The MIT License (MIT)": "MIT",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "Apache Software License": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "BSD-3-Clause AND MIT": "BSD-3-Clause AND MIT",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
    "New BSD License (see the LICENSE file for details)": "BSD-3-Clause",
    "GPLv3+": "GPL-3.0-or-later",
    "GPLv3": "GPL-3.0-only",
    "LGPLv2.1 or later": "LGPL-2.1-or-later",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Public Domain": "LicenseRef-scancode-public-domain",
    "MIT/Apache-2.0": "MIT OR Apache-2.0",
    "Licensed under the MIT license. See LICENSE.": "MIT",
    "Creative Commons Attribution-ShareAlike 4.0 International": "CC-BY-SA-4.0",
    "CC BY 3.0 US": "CC-BY-3.0-US",
    "CC0 1.0 Universal": "CC0-1.0",
    "https://opensource.org/licenses/MIT": "MIT",
    "https://www.gnu.org/licenses/gpl-3.0.html": "GPL-3.0-only",
    "http://creativecommons.org/licenses/by-sa/4.0/": "CC-BY-SA-4.0",
    "Apache 2.0 (http://www.apache.org/licenses/LICENSE-2.0.txt)": "Apache-2.0",
    "木兰宽松许可证 第2版": "MulanPSL-2.0",
    "MIT 许可证": "MIT",
    "知识共享 署名-相同方式共享 4.0 国际许可协议": "CC-BY-SA-4.0",
    "GNU通用公共许可证第3版或更高版本": "GPL-3.0-or-later",
}
OPEN = [
    "",
    "BSD",
    "BSD License",
    "MIT, BSD",
    "MPL",
    "Artistic License",
    "Dual License",
    "CC BY",
    "UNKNOWN",
    "Proprietary",
    "LGPL with exceptions",
    "MIT WITH Apache-2.0",
    "389-exception",
    "MIT license is not what this is under",
    "see LICENSE",
]


@pytest.mark.parametrize(("declared", "expected"), NAMES.items())
def test_a_name_becomes_its_expression(declared, expected):
    assert normalise(declared) == expected


@pytest.mark.parametrize("declared", OPEN)
def test_what_names_no_licence_for_certain_stays_unknown(declared):
    assert normalise(declared) == "NOASSERTION"


@pytest.mark.parametrize(
    "head",
    [
        ".. SPDX-License-Identifier: GPL-2.0\n\nTitle\n=====\n",
        "/* SPDX-License-Identifier: GPL-2.0 */\nint a;\n",
        "// SPDX-License-Identifier: GPL-2.0\n",
        "#!/bin/sh\n# Copyright\n# SPDX-License-Identifier: GPL-2.0\n",
        "/*\n * SPDX-License-Identifier: GPL-2.0\n */\n",
        "<!-- SPDX-License-Identifier: GPL-2.0 -->\n",
        ":License: GPL-2.0\n",
        "---\ntitle: a\nlicense: GPL-2.0\n---\n",
        '__license__ = "GPL-2.0"\n',
    ],
)
def test_a_header_is_read_in_every_comment_style(head):
    found = find_licence("MIT", "declared", head)
    assert (found.expression, found.evidence) == ("GPL-2.0-only", "header")


def test_tags_in_a_row_all_apply_and_those_in_the_body_do_not():
    tag = "# SPDX-License-Identifier: "
    text = f"{tag}MIT\n{tag}Apache-2.0 OR ISC\n\nUse tags like this:\n\n{tag}GPL-2.0\n"
    assert find_licence("", "none", text).expression == "MIT AND (Apache-2.0 OR ISC)"


def test_a_tag_in_a_code_sample_is_no_header():
    text = "How to tag a file:\n\n    // SPDX-License-Identifier: MIT\n\n```\n# SPDX-License-Identifier: MIT\n```\n"
    assert find_licence("", "none", text).evidence == "none"


def test_a_tag_that_names_no_known_licence_is_not_believed():
    assert find_licence("", "none", "# SPDX-License-Identifier: Foo-9.9\n").evidence == "none"


def test_a_licence_file_is_recognised_by_its_text():
    found = find_licence("BSD-2-Clause", "declared", MIT)
    assert (found.expression, found.evidence) == ("MIT", "file")
    assert len(found.raw) <= 200


def test_two_texts_in_one_file_both_apply():
    assert match_text(f"{MIT}\n\n----\n\n{BSD3}") == "MIT AND BSD-3-Clause"


def test_holder_and_wrapping_change_neither_the_licence_nor_where_its_text_ends():
    other = MIT.replace("2026 A. Person", "1999 B. Body").replace("\n", "\r\n  ")
    regions = [find_texts(f"Read me.\n\n{text}\nThe end.") for text in (MIT, other)]
    assert [[region.spdx for region in found] for found in regions] == [["MIT"], ["MIT"]]
    text, (region,) = f"Read me.\n\n{other}\nThe end.", regions[1]
    assert text[region.start : region.end].startswith("Permission is hereby")
    assert "SOFTWARE." in text[region.end - 12 : region.end]


def test_a_licence_text_in_the_head_of_code_is_a_header():
    comment = "".join(f"# {line}\n" for line in MIT.splitlines())
    found = find_licence("", "none", comment + "x = 1\n" * 900)
    assert (found.expression, found.evidence) == ("MIT", "header")


def test_a_pasted_licence_in_a_metadata_field_is_read():
    found = find_licence(f"MIT Licence\n\n{MIT}", "declared", "text")
    assert (found.expression, found.evidence) == ("MIT", "declared")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Licensed under the Apache License, Version 2.0 (the", "Apache-2.0"),
        (
            "redistribute it and/or modify\nit under the terms of the GNU General Public License as "
            "published by\nthe Free Software Foundation; either version 2 of the License, or\n"
            "(at your option) any later version.",
            "GPL-2.0-or-later",
        ),
        ("This document is released under CC BY-SA 4.0.", "CC-BY-SA-4.0"),
        ("released under <https://creativecommons.org/licenses/by/4.0/>", "CC-BY-4.0"),
        ("This has been placed in the public domain.", "LicenseRef-scancode-public-domain"),
        ("本文采用知识共享署名-相同方式共享 4.0 国际许可协议进行许可。", "CC-BY-SA-4.0"),
    ],
)
def test_a_statement_in_prose_is_a_guess(text, expected):
    found = find_licence("", "none", f"Some words.\n\n{text}\n\nMore words.")
    assert (found.expression, found.evidence) == (expected, "guessed")


def test_evidence_ranks_header_before_declared_before_prose():
    prose = "Released under the MIT license."
    assert find_licence("ISC", "declared", prose).expression == "ISC"
    assert find_licence("ISC", "file", prose).evidence == "file"
    assert find_licence("BSD", "declared", prose).expression == "MIT"


def test_a_guess_at_the_version_is_called_one():
    assert find_licence("Apache Software License", "declared", "").evidence == "guessed"


def test_an_unreadable_declaration_is_kept_for_people():
    found = find_licence("Dual License", "declared", "text")
    assert (found.expression, found.evidence, found.raw) == ("NOASSERTION", "none", "Dual License")


def test_a_licence_link_in_markup_is_read():
    data = b'<p>Hi</p><a rel="license" href="https://creativecommons.org/licenses/by/4.0/">CC</a>'
    raw = RawDocument(uri="file:///a.html", data=data, mime="text/html")
    row = tag_licence(raw, Extraction(text="Hi", origin="mapped"))
    assert (row["licence"], row["licence_evidence"]) == ("CC-BY-4.0", "header")


def test_installed_licence_texts_are_told_apart():
    folder = Path("/usr/share/common-licenses")
    names = {"Apache-2.0": "Apache-2.0", "GPL-3": "GPL-3.0-only", "LGPL-2.1": "LGPL-2.1-only"}
    if not all((folder / name).exists() for name in names):
        pytest.skip("this system ships no folder of common licences")
    assert {name: match_text((folder / name).read_text("utf-8")) for name in names} == names
