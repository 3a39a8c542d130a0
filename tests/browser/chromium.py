"""Debian's chromium without a window, driven by selenium."""

from __future__ import annotations

import shutil

from selenium.webdriver import Chrome, ChromeOptions, ChromeService


def open_chromium() -> Chrome:
    """A browser of its own; whoever opens it must quit it."""
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium")
    # Only our own pages are opened; root, as in containers, has no sandbox.
    for word in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return Chrome(options, ChromeService(shutil.which("chromedriver")))


def resize(driver: Chrome, width: int, height: int) -> None:
    """Make the page so many pixels wide and high."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def prefer(driver: Chrome, scheme: str) -> None:
    """Be a machine whose user likes it `light` or `dark`."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
