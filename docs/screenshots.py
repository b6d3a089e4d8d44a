"""Takes the pictures of the page in docs/images: `python docs/screenshots.py`.

Serves the demo shop and asks for the leopard phone case in a real
Chromium (`chromium`, `chromium-browser` or `google-chrome` on the PATH). Fusion reranks, so nothing
is asked of any other host. Takes a minute.
"""

from __future__ import annotations

import io
import shutil
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from playwright.sync_api import sync_playwright

from ocelot.build import build_service
from ocelot.settings import load_settings
from ocelot.web import create_app, stop_streams

IMAGES = Path(__file__).parent / "images"
MOST = 200_000  # bytes; larger ones are given a palette
DESKTOP: dict[str, Any] = {"viewport": {"width": 1360, "height": 900}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True,
    "has_touch": True,
}  # fmt: skip
PICTURES = {
    "page": DESKTOP,
    "page-dark": DESKTOP | {"color_scheme": "dark"},
    "page-phone": PHONE,
    "page-item": DESKTOP,
}


def main() -> None:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    program = program or shutil.which("google-chrome")
    if program is None:
        sys.exit("No browser was found; on Debian and Ubuntu: apt-get install chromium.")
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(db=f"{folder}/shop.db", reranker="fusion")
        service = build_service(settings)
        try:
            service.fill_with_demo()
            app = create_app(service, settings)
            listener = socket.create_server(("127.0.0.1", 0))
            server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            try:
                take(f"http://127.0.0.1:{listener.getsockname()[1]}/", program)
            finally:
                stop_streams(app)
                server.should_exit = True
                thread.join()
        finally:
            service.close()


def take(url: str, program: str) -> None:
    """Each of `PICTURES`."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name, options in PICTURES.items():
            page = browser.new_context(reduced_motion="reduce", **options).new_page()
            page.goto(url)
            page.click("a.chip:has-text('leopard +')")
            page.wait_for_selector("article.winner")
            if name == "page-item":
                page.click("article.winner a.tile")
                page.wait_for_selector("dialog[open]")
            page.wait_for_load_state("networkidle")
            page.mouse.move(0, 0)
            page.evaluate("document.activeElement.blur()")
            put(IMAGES / f"{name}.png", page.screenshot())
        browser.close()


def put(path: Path, data: bytes) -> None:
    """A PNG file that is not too large."""
    with Image.open(io.BytesIO(data)) as shot:
        image = shot.convert("RGB")
    image.save(path, optimize=True)
    if path.stat().st_size > MOST:
        colours = image.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=3)
        image.quantize(palette=colours).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
