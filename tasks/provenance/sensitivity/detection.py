"""Personal data and secrets in a text: kinds and places, never the values.

Rules with check digits, not a model: what is promised is what has a form. Names of people,
postal addresses and the like are not looked for (docs/systems/licences-and-sensitivity.md).
"""

from storage.records import Extraction, RawDocument, Sensitive
from tasks.provenance.sensitivity.network import find_addresses, find_emails, find_sites
from tasks.provenance.sensitivity.numbers import find_numbers
from tasks.provenance.sensitivity.secrets import find_secrets
from tasks.provenance.sensitivity.spans import settle

KINDS = (
    "EMAIL_ADDRESS",
    "PHONE_NUMBER",
    "CREDIT_CARD",
    "IBAN_CODE",
    "US_SSN",
    "US_DRIVER_LICENSE",
    "CN_RESIDENT_ID",
    "IP_ADDRESS",
    "MAC_ADDRESS",
    "DOMAIN_NAME",
    "PRIVATE_KEY",
    "SECRET_KEY",
    "PASSWORD",
)
"""Every kind that can be found; the first ten are named as in the labelled set where it has them."""

_DETECTORS = (find_secrets, find_emails, find_addresses, find_numbers, find_sites)


def find_sensitive(text: str) -> list[Sensitive]:
    """Find spans of personal data and secrets: in order, disjoint, byte offsets in UTF-8."""
    data = text.encode("utf-8", "surrogatepass")
    found = settle(span for detector in _DETECTORS for span in detector(data))
    return [Sensitive(kind=span.kind, start=span.start, end=span.end) for span in found]


def tag_sensitivity(raw: RawDocument, extraction: Extraction) -> dict[str, object]:
    """Give the sensitivity column of a document."""
    del raw
    return {
        "sensitivity": [
            {"kind": span.kind, "start": span.start, "end": span.end}
            for span in find_sensitive(extraction.text)
        ]
    }
