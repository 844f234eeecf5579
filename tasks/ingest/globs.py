"""Path patterns: * and ? stay within one part, ** spans parts, [...] is a set."""

import re
from collections.abc import Callable, Sequence

_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\]|[^*?\[]+|\[")


def path_matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a test of relative paths with "/"; a pattern without "/" looks at the last part."""
    whole = [re.compile(_translate(pattern)) for pattern in patterns if "/" in pattern]
    last = [re.compile(_translate(pattern)) for pattern in patterns if "/" not in pattern]

    def matches(path: str) -> bool:
        name = path.rpartition("/")[2]
        return any(rule.fullmatch(path) for rule in whole) or any(
            rule.fullmatch(name) for rule in last
        )

    return matches


def glob_regex(pattern: str) -> re.Pattern[str]:
    """Compile one pattern that must match a whole relative path."""
    return re.compile(_translate(pattern))


def _translate(pattern: str) -> str:
    return "(?s:" + "".join(_part(token) for token in _TOKEN.findall(pattern)) + ")"


def _part(token: str) -> str:
    fixed = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if token in fixed:
        return fixed[token]
    if token.startswith("[") and len(token) > 1:
        body = token[1:-1].replace("\\", "\\\\").replace("[", "\\[")
        return f"[^{body[1:]}]" if body.startswith("!") else f"[{_escape_caret(body)}]"
    return re.escape(token)


def _escape_caret(body: str) -> str:
    return "\\" + body if body.startswith("^") else body
