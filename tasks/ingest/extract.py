"""Extract the text of one raw document, by its MIME type."""

from storage.records import Extraction, RawDocument
from tasks.ingest.extract_code import extract_docstrings
from tasks.ingest.extract_html import extract_html
from tasks.ingest.extract_pdf import extract_pdf
from tasks.ingest.extract_text import extract_text
from tasks.ingest.failures import ExtractError
from tasks.ingest.formats import HTML, PDF, PYTHON

PDF_TIMEOUT_S = 60.0


def extract(raw: RawDocument, *, timeout_s: float = PDF_TIMEOUT_S) -> Extraction:
    """Give text, byte map and outline; raise ExtractError with reason and way out.

    A Python module without public docstrings gives an empty text: it is code, not a document.
    """
    if raw.mime == PYTHON:
        return extract_docstrings(raw.data, raw.title)
    if raw.mime == PDF:
        return extract_pdf(raw.data, timeout_s)
    extraction = extract_html(raw.data) if raw.mime == HTML else extract_text(raw.data, raw.mime)
    if not extraction.text.strip():
        raise ExtractError(
            "text.blank", "the document holds no readable text: exclude it or see its source"
        )
    return extraction
