"""Remote objects through fsspec: listing and fetching, each with a time limit."""

import contextlib
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import partial
from typing import IO, Any

from storage.errors import SuyuanError
from storage.records import Item
from tasks.ingest.failures import BadInput, ExtractError
from tasks.ingest.formats import CONTAINERS, format_of
from tasks.ingest.globs import glob_regex, path_matcher
from tasks.ingest.sources import SourceSpec, split_glob

MAX_DOWNLOAD_BYTES = 64 << 30
"""A remote container is copied to a temporary file; a larger one is refused."""

ATTEMPTS = 2
_BLOCK = 1 << 20


def list_remote(location: str, spec: SourceSpec) -> Iterator[Item | BadInput]:
    """List an object, a prefix or a glob; an http address is one object and is not asked yet."""
    if location.startswith(("http://", "https://")):
        yield Item(source=spec.name, uri=location, kind="file")
        return
    try:
        with remote_errors():
            found = _objects(location, spec)
    except ExtractError as error:
        yield BadInput(uri=location.rstrip("/") + "/", reason=error.reason, detail=error.detail)
        return
    for uri, n_bytes in found:
        yield Item(source=spec.name, uri=uri, kind="file", n_bytes=n_bytes)


def open_remote(uri: str, spec: SourceSpec) -> IO[bytes]:
    """Copy an object into a temporary file, opened at its start; it goes when it is closed."""
    copy = tempfile.TemporaryFile()  # noqa: SIM115  # the caller closes it
    try:
        with remote_errors():
            fs, path = filesystem(uri, spec.timeout_s)
            limit = MAX_DOWNLOAD_BYTES if _is_container(uri) else spec.max_item_bytes
            with fs.open(path, "rb") as remote:
                _copy_bounded(remote.read, copy, limit)
    except BaseException:
        copy.close()
        raise
    copy.seek(0)
    return copy


def filesystem(url: str, timeout_s: float) -> tuple[Any, str]:
    """Open the file system of a URL with time limits and without remembered listings."""
    import fsspec

    protocol = url.partition("://")[0]
    fs, path = fsspec.core.url_to_fs(url, **_options(protocol, timeout_s))
    if hasattr(fs, "retries"):
        fs.retries = ATTEMPTS
    return fs, path


@contextlib.contextmanager
def remote_errors() -> Generator[None]:
    """Turn any failure of a back end into an ExtractError; each has its own kinds of errors."""
    try:
        yield
    except SuyuanError:
        raise
    except FileNotFoundError as error:
        if _is_outage(error.__cause__):
            raise _unreachable(error.__cause__) from error
        raise ExtractError(
            "file.vanished", "no such object: correct the address or list the source again"
        ) from error
    except PermissionError as error:
        raise ExtractError(
            "file.permission", "the service refused access: check the credentials"
        ) from error
    except Exception as error:
        raise _unreachable(error) from error


def _is_outage(cause: BaseException | None) -> bool:
    """Tell a failed connection, which fsspec's http shows as a missing file, from a missing file."""
    if isinstance(cause, FileNotFoundError) or getattr(cause, "status", 0) in {404, 410}:
        return False
    return isinstance(cause, OSError) or type(cause).__module__.startswith("aiohttp")


def _unreachable(error: BaseException | None) -> ExtractError:
    return ExtractError(
        "remote.unreachable",
        f"the service did not deliver ({type(error).__name__}: {str(error)[:200]}): "
        "check address and network and run again",
    )


def _options(protocol: str, timeout_s: float) -> dict[str, Any]:
    if protocol in {"http", "https"}:
        return {"client_kwargs": {"timeout": _http_timeout(timeout_s)}, "use_listings_cache": False}
    if protocol in {"s3", "s3a"}:
        limits = {"connect_timeout": timeout_s, "read_timeout": timeout_s}
        return {
            "config_kwargs": {**limits, "retries": {"max_attempts": 1}},
            "use_listings_cache": False,
        }
    return {}


def _http_timeout(timeout_s: float) -> Any:
    import aiohttp

    return aiohttp.ClientTimeout(total=None, sock_connect=timeout_s, sock_read=timeout_s)


def _objects(location: str, spec: SourceSpec) -> list[tuple[str, int]]:
    folder, pattern = split_glob(location)
    fs, path = filesystem(folder, spec.timeout_s)
    if not pattern:
        info = fs.info(path)
        if info["type"] == "file":
            return [(location, _size(info))]
    selected = glob_regex(pattern).fullmatch if pattern else bool
    include = path_matcher(spec.include) if spec.include else bool
    exclude = path_matcher(spec.exclude)
    found = []
    for name, info in fs.find(path, detail=True).items():
        below = name[len(path.rstrip("/")) + 1 :]
        hidden = any(part.startswith(".") for part in below.split("/"))
        if hidden or not format_of(name).mime or exclude(below):
            continue
        if selected(below) and include(below):
            found.append((str(fs.unstrip_protocol(name)), _size(info)))
    return found


def _size(info: Mapping[str, Any]) -> int:
    size = info.get("size")
    return -1 if size is None else int(size)


def _is_container(uri: str) -> bool:
    return format_of(uri).mime in CONTAINERS


def _copy_bounded(read: Callable[[int], bytes], copy: IO[bytes], limit: int) -> None:
    taken = 0
    for block in iter(partial(read, _BLOCK), b""):
        taken += len(block)
        if taken > limit:
            raise ExtractError(
                "file.too_large",
                f"the object has more than {limit} bytes: raise max_item_bytes or split it",
            )
        copy.write(block)
