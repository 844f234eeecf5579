"""Artifacts in the Prefect UI; outside a flow run, or without a server, they are left out."""

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

LOGGER = logging.getLogger("suyuan")
MAX_TABLE_ROWS = 1000
"""Prefect keeps a table as one JSON value: more rows make its page unusable."""

R = TypeVar("R")


def flow_run_id() -> str:
    """Give the id of the Prefect flow run that this code runs in, or ""."""
    if "prefect" not in sys.modules:  # nobody runs inside a flow without Prefect
        return ""
    from prefect.runtime import flow_run

    return str(flow_run.id or "")


def flow_run_url() -> str:
    """Give the address of the flow run's page, or ""."""
    if not flow_run_id():
        return ""
    from prefect.runtime import flow_run

    return attempt(lambda: str(flow_run.ui_url or ""), "")


def markdown(text: str, key: str, description: str = "") -> None:
    """Publish Markdown under the key."""
    if flow_run_id():
        from prefect.artifacts import create_markdown_artifact

        attempt(
            lambda: create_markdown_artifact(
                markdown=text, key=artifact_key(key), description=description or None
            ),
            None,
        )


def table(rows: Sequence[Mapping[str, object]], key: str, description: str = "") -> None:
    """Publish the first MAX_TABLE_ROWS rows as a table under the key."""
    if flow_run_id():
        from prefect.artifacts import create_table_artifact

        attempt(
            lambda: create_table_artifact(
                table=[dict(row) for row in rows[:MAX_TABLE_ROWS]],
                key=artifact_key(key),
                description=description or None,
            ),
            None,
        )


def link(url: str, key: str, text: str) -> None:
    """Publish a link under the key."""
    if flow_run_id():
        from prefect.artifacts import create_link_artifact

        attempt(lambda: create_link_artifact(link=url, link_text=text, key=artifact_key(key)), None)


def attempt(call: Callable[[], R], otherwise: R) -> R:
    """Call Prefect's API; when it fails, log that and go on: artifacts never fail the work."""
    import httpx
    from prefect.exceptions import PrefectException

    try:
        return call()
    except (httpx.HTTPError, PrefectException, OSError, RuntimeError, ValueError) as error:
        LOGGER.warning("Prefect did not take an artifact: %s", error)
        return otherwise


def artifact_key(*words: str) -> str:
    """Join words to a key that Prefect accepts: lower case, digits and dashes."""
    text = "-".join(words).lower()
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in text)
    return "-".join(piece for piece in kept.split("-") if piece)
