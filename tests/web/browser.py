"""A real Chromium, the one on the PATH: no test downloads a browser."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)
from playwright.sync_api import (
    TimeoutError as LateError,
)

PROGRAMS = "chromium", "chromium-browser", "google-chrome"
PROGRAM = next(filter(None, map(shutil.which, PROGRAMS)), None)
OPTIONS = (
    "--no-sandbox --headless=new --disable-gpu --disable-background-networking"
    " --disable-component-update --disable-sync --no-first-run"
).split()

needs_browser = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on the PATH")

expect.set_options(timeout=45_000)

DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 360, "height": 740}


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser while the block runs. Nothing asynchronous can run in this thread meanwhile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """One person's browser window. What the console complains of is kept in `complaints`, and the
    requests that are not answered yet in `waiting`."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.context = browser.new_context(
            base_url=url, **{"viewport": DESKTOP, "reduced_motion": "reduce", **options}
        )
        self.context.set_default_timeout(45_000)
        self.complaints: list[str] = []
        self.waiting: list[str] = []
        self.context.on("request", lambda request: self.waiting.append(request.url))
        for end in ("requestfinished", "requestfailed"):
            self.context.on(end, self._answered)
        self.page = self.tab()

    def tab(self) -> Page:
        page = self.context.new_page()
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def named(self, buyer: str) -> "Visitor":
        """As somebody who has given this name before."""
        self.context.add_init_script(
            f"localStorage.getItem('flashsale:buyer') ??"
            f" localStorage.setItem('flashsale:buyer', '\"{buyer}\"')"
        )
        return self

    def open(self, path: str = "/") -> Page:
        """Go there, and wait until the catalogue is drawn."""
        self.page.goto(path)
        try:
            self.page.wait_for_selector("a.card")
        except LateError as late:
            said = self.page.inner_text("#found")
            raise AssertionError(
                f"no catalogue: it says {said!r}, waits for {self.waiting}, {self.complaints}"
            ) from late
        return self.page

    def close(self) -> None:
        self.context.close()

    def _answered(self, request: Request) -> None:
        if request.url in self.waiting:
            self.waiting.remove(request.url)

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


def reaches(page: Page, state: str, seconds: float = 45) -> None:
    """Wait until the counter shows this state of the purchase."""
    page.wait_for_selector(f"#told[data-state={state}]", timeout=seconds * 1_000)
