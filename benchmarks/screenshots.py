"""Take pictures of a running stack's Prefect and MLflow pages for the documents.

Run `suyuan demo` first; needs Debian's Chromium. Pictures go to docs/img/.
"""

import re
import shutil
from pathlib import Path

from infra import stack
from infra.settings import Settings

IMAGES = Path(__file__).parents[1] / "docs" / "img"
PAGE_TIMEOUT_MS = 60_000
SETTLE_MS = 2_000
"""Charts are drawn after their text; MLflow's page polls, so it is never idle."""
QUIET_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def main() -> None:
    """Visit each page and save what a person sees."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("no Chromium: apt-get install chromium")
    servers = stack.status(Settings().apply())
    prefect, mlflow = servers.prefect_ui.rstrip("/"), servers.mlflow_ui.rstrip("/")
    pages = {
        "prefect-runs": (f"{prefect}/runs", "lifecycle|ingest|features"),
        "prefect-deployments": (f"{prefect}/deployments", "ingest"),
        "prefect-artifacts": (f"{prefect}/artifacts", "summary"),
        "mlflow-experiments": (f"{mlflow}/#/experiments", "ingest"),
    }
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=list(QUIET_FLAGS))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        for name, (url, expected) in pages.items():
            page.goto(url, timeout=PAGE_TIMEOUT_MS)
            page.get_by_text(re.compile(expected)).first.wait_for(timeout=PAGE_TIMEOUT_MS)
            page.evaluate("document.fonts.ready.then(() => true)")
            page.wait_for_timeout(SETTLE_MS)
            page.screenshot(path=IMAGES / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
