from html.parser import HTMLParser

from infra.quality_page import Check, render

HOSTILE = "</td><script src=//x></script><img src=http://x onerror=alert(1)>"


class Loads(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        loading = {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
        if tag in loading or any(name in {"src", "href", "style"} for name, _ in attrs):
            self.found.append(tag)


def check(failed: int, example: str = "x", column: str = "uri") -> Check:
    return Check(
        column=column, expectation="not null", checked=9, failed=failed, examples=(example,)
    )


def test_the_page_loads_nothing_whatever_the_values_are() -> None:
    parser = Loads()
    parser.feed(render(HOSTILE, 9, [check(1, HOSTILE, HOSTILE)]))
    assert parser.found == []


def test_failures_come_first() -> None:
    page = render("rows", 9, [check(0, column="good"), check(2, column="bad")])
    assert page.index("bad") < page.index("good")
    assert "1 of 2 expectations failed" in page
