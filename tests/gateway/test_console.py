"""The API page: its files, its policy (operations 17)."""

from __future__ import annotations

import re
from importlib.resources import files

from tests.fakes.gateways import listening

WEB = files("podledger_gateway").joinpath("web")


async def test_the_page_loads_only_what_is_served_beside_it():
    async with listening() as gateway:
        page = await gateway.get("/docs")
        linked = re.findall(r'(?:src|href)="([^"]*)"', page.text)
        answers = [await gateway.get(f"/{path}") for path in linked]
    assert (200, "text/html; charset=utf-8") == (page.status, page.header("Content-Type"))
    assert linked == [
        "docs/swagger-ui.css",
        "docs/docs.css",
        "docs/swagger-ui-bundle.js",
        "docs/docs.js",
        "openapi.json",
        "swagger.json",
    ]
    assert [200] * 6 == [answer.status for answer in answers]


async def test_nothing_runs_that_is_no_file_of_ours():
    async with listening() as gateway:
        page = await gateway.get("/docs")
    assert page.all("Content-Security-Policy") == [
        (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
            "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
    ]
    assert page.header("X-Content-Type-Options") == "nosniff"
    assert not re.search(r"<style|<script>|\sstyle=|\son\w+=|https?:", page.text)


async def test_a_file_is_compressed_on_request_and_stays_the_same():
    async with listening() as gateway:
        plain = await gateway.get("/docs/swagger-ui-bundle.js")
        packed = await gateway.get("/docs/swagger-ui-bundle.js", ("Accept-Encoding", "gzip"))
        head = await gateway.get("/docs/docs.js", method="HEAD")
    assert WEB.joinpath("swagger-ui", "swagger-ui-bundle.js").read_bytes() == plain.body == packed.text.encode()
    assert len(packed.body) < len(plain.body) / 2
    assert head.status == 200


def test_the_page_sends_only_calls_that_read():
    assert 'supportedSubmitMethods: ["get"]' in WEB.joinpath("docs.js").read_text()


def test_copied_files_come_with_their_licence():
    assert "Apache License" in WEB.joinpath("swagger-ui", "LICENSE").read_text()
    assert "SmartBear" in WEB.joinpath("swagger-ui", "NOTICE").read_text()
