"""Find the columns of a row that hold text, id, title, licence, author and date."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote

from storage.records import RawDocument
from tasks.ingest.failures import ExtractError
from tasks.ingest.formats import MARKDOWN, REST, TEXT, format_of
from tasks.ingest.sources import SourceSpec

MAX_META_FIELDS = 40
MAX_META_CHARACTERS = 1_000

_NAMES = {
    "text": ("text", "content", "body", "passage", "context", "document", "paragraph", "article",
             "abstract", "正文", "内容", "文本"),
    "id": ("id", "_id", "doc_id", "docid", "document_id", "uuid", "pid", "url", "uri"),
    "title": ("title", "headline", "name", "标题", "题目"),
    "licence": ("license", "licence", "spdx", "spdx_id", "spdx_license", "license_expression",
                "license_id", "许可证"),
    "author": ("author", "authors", "creator", "by", "作者"),
    "date": ("published_at", "published", "publication_date", "date", "created_at", "timestamp"),
    "path": ("path", "file_path", "filename", "file"),
}  # fmt: skip
_TEXT_KINDS = frozenset({TEXT, MARKDOWN, REST})


@dataclass(frozen=True, kw_only=True, slots=True)
class Fields:
    """Names of the columns that are used; "" when there is none."""

    text: str = ""
    id: str = ""
    title: str = ""
    licence: str = ""
    author: str = ""
    date: str = ""
    path: str = ""

    @property
    def used(self) -> frozenset[str]:
        """Columns that need not be repeated in the metadata."""
        return frozenset({self.text, self.id, self.title, self.licence, self.author})


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A row's place: file, its hash, the row's number and locator."""

    uri: str
    container_id: str
    number: int
    locator: str


@lru_cache(maxsize=256)
def find_fields(columns: tuple[str, ...], spec: SourceSpec) -> Fields:
    """Match columns by the caller's names, else by the usual ones, whatever their case."""
    by_name = {column.strip().lower(): column for column in reversed(columns)}
    asked = {
        "text": spec.text_field,
        "id": spec.id_field,
        "title": spec.title_field,
        "licence": spec.licence_field,
    }
    found = {}
    for use, names in _NAMES.items():
        wanted = (asked[use],) if asked.get(use) else names
        found[use] = next((by_name[one.lower()] for one in wanted if one.lower() in by_name), "")
    return Fields(**found)


def need_text(columns: Sequence[str], spec: SourceSpec) -> Fields:
    """Find the columns of a table; raise when none holds the text."""
    fields = find_fields(tuple(columns), spec)
    if not fields.text:
        shown = ", ".join(columns[:20]) or "none"
        raise ExtractError(
            "table.no_text_column",
            f"no text column among the columns found ({shown}): name it with text_field",
        )
    return fields


def row_document(
    row: Mapping[str, object], fields: Fields, place: Place, spec: SourceSpec
) -> RawDocument:
    """Make the document of one row; raise ExtractError with the reason when it has no usable text."""
    data = _text_bytes(row.get(fields.text), spec)
    licence = _string(row.get(fields.licence))
    return RawDocument(
        uri=row_uri(row, fields, place),
        data=data,
        mime=_mime(_string(row.get(fields.path))),
        title=_string(row.get(fields.title)),
        author=_string(row.get(fields.author)),
        declared_licence=licence,
        declared_evidence="declared" if licence else "none",
        published_at=_date(row.get(fields.date)),
        container_id=place.container_id,
        locator=place.locator,
        meta=_meta(row, fields),
    )


def row_uri(row: Mapping[str, object], fields: Fields, place: Place) -> str:
    """Name a row by its id, else by its number."""
    identity = _string(row.get(fields.id)) or str(place.number)
    return f"{place.uri}#{quote(identity[:500], safe='/:@!$&()*+,;=-._~')}"


def _text_bytes(text: object, spec: SourceSpec) -> bytes:
    if not isinstance(text, str) or not text.strip():
        raise ExtractError(
            "row.no_text", "the row has no text: fill it in or name another text_field"
        )
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise ExtractError(
            "text.encoding", "the row holds bytes or surrogates that are no text: convert to UTF-8"
        ) from error
    if len(data) > spec.max_record_bytes:
        raise row_too_long(spec)
    return data


def row_too_long(spec: SourceSpec) -> ExtractError:
    """Describe a row over the limit."""
    return ExtractError(
        "row.too_long",
        f"the row has more than {spec.max_record_bytes} bytes: raise max_record_bytes or split it",
    )


def _string(value: object) -> str:
    """Show a value as one clean line; lists are joined, other structures are JSON."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        value = ", ".join(_string(each) for each in value)
    elif isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return clean(str(value))


def clean(value: str) -> str:
    """Drop what no column or ledger can hold: surrogates, NUL, other controls, outer white space."""
    plain = value.encode("utf-8", "replace").decode("utf-8")
    if plain.isprintable():
        return plain.strip()
    return "".join(c if c.isprintable() else " " for c in plain).strip()


def _mime(path: str) -> str:
    mime = format_of(path).mime
    return mime if mime in _TEXT_KINDS else TEXT


def _date(value: object) -> datetime | None:
    if isinstance(value, str) and len(value) >= len("2024-01-01"):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _meta(row: Mapping[str, object], fields: Fields) -> dict[str, str]:
    rest = [name for name in row if name not in fields.used][:MAX_META_FIELDS]
    shown = {clean(str(name)): _string(row[name])[:MAX_META_CHARACTERS] for name in rest}
    return {name: value for name, value in shown.items() if value}
