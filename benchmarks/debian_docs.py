"""Documentation of three Debian packages as texts: 55 MB that anyone can fetch again.

linux-doc-6.1 (reStructuredText, YAML bindings, plain text), python3.11-doc (reStructuredText) and
postgresql-doc-15 (HTML, of which the tags are dropped). Packages are fetched by `apt-get download`
unless a folder holds them, and unpacked without being installed.
"""

import gzip
import html
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from storage.errors import MissingError

PEERS = Path(__file__).parent.parent / ".venv-peers"
PACKAGES = ("linux-doc-6.1", "python3.11-doc", "postgresql-doc-15")
_ENDINGS = (".rst", ".txt", ".yaml")
_TAG = re.compile(r"<[^>]+>")
_FETCH_SECONDS = 600


def documents(debs: Path | None = None) -> list[tuple[str, bytes]]:
    """Give path and text of each document, sorted by path."""
    root = unpacked(debs)
    texts = [(path.relative_to(root).as_posix(), _text(path)) for path in sorted(_files(root))]
    return [(path, text) for path, text in texts if text.strip()]


def unpacked(debs: Path | None) -> Path:
    """Unpack the packages below the peers' folder once, fetching those that are missing."""
    root = PEERS / "debian-docs"
    for package in PACKAGES:
        target = root / package
        if target.is_dir():
            continue
        partial = root / f".{package}.partial"
        partial.mkdir(parents=True, exist_ok=True)
        command = ["dpkg-deb", "-x", str(_package_file(package, debs)), str(partial)]
        subprocess.run(command, check=True, timeout=_FETCH_SECONDS)
        partial.rename(target)
    return root


def _package_file(package: str, debs: Path | None) -> Path:
    folder = debs or PEERS / "debs"
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob(f"{package}_*.deb")) and debs is None:
        subprocess.run(
            ["apt-get", "download", package], cwd=folder, check=True, timeout=_FETCH_SECONDS
        )
    found = sorted(folder.glob(f"{package}_*.deb"))
    if not found:
        raise MissingError(
            "the package is not there", item=f"{folder}/{package}_*.deb", way_out="Omit --debs"
        )
    return found[-1]


def _files(root: Path) -> Iterator[Path]:
    for path in (root / "linux-doc-6.1").rglob("Documentation/**/*"):
        if _is_file(path) and path.name.removesuffix(".gz").endswith(_ENDINGS):
            yield path
    for path in (root / "python3.11-doc").rglob("_sources/**/*.txt*"):
        if _is_file(path):
            yield path
    for path in (root / "postgresql-doc-15").rglob("*.html"):
        if _is_file(path):
            yield path


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _text(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    if path.suffix == ".html":
        plain = html.unescape(_TAG.sub("", data.decode("utf-8", "replace")))
        return plain.encode()
    return data
