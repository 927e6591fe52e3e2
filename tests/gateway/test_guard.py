"""Who may call: Host names, forwarding headers, other origins (operations 17)."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from podledger_gateway.errors import Refusal
from podledger_gateway.guard import LOOPBACK_NAMES, Guard, host_name

UI = "https://ui.example.com"


def guard(*, hosts=(), local=False, origins=()) -> Guard:
    return Guard(hosts=hosts, local=local, origins=origins)


def refused(found: Guard, method="GET", **headers: str) -> bool:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        found.check(method, CIMultiDict(names))
    except Refusal as refusal:
        return refusal.code == 7
    return False


@pytest.mark.parametrize(
    ("host", "name"),
    [("A.b:80", "a.b"), ("a", "a"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("::1", ":"), ("a:", "a"), ("", "")],
)
def test_a_host_is_compared_without_its_port(host, name):
    assert name == host_name(host)


def test_a_host_must_be_on_the_list_if_there_is_one():
    local = guard(hosts=LOOPBACK_NAMES, local=True)
    assert not refused(local, Host="LOCALHOST:8080")
    assert not refused(local, Host="[::1]:1")
    assert refused(local, Host="evil.example.com")
    assert refused(local)
    assert not refused(guard(), Host="evil.example.com")


@pytest.mark.parametrize(
    "name", ["Forwarded", "X_Forwarded_For", "X_Forwarded_Host", "X_Forwarded_Proto", "X_Real_Ip", "Via"]
)
def test_nothing_forwarded_is_served_in_local_mode(name):
    headers = {"Host": "localhost", name: "x"}
    assert refused(guard(hosts=["localhost"], local=True), **headers)
    assert not refused(guard(hosts=["localhost"]), **headers)


@pytest.mark.parametrize(
    ("method", "expected"), [("GET", False), ("HEAD", False), ("OPTIONS", False), ("POST", True), ("DELETE", True)]
)
def test_pages_of_another_site_only_read(method, expected):
    assert expected == refused(guard(), method, Sec_Fetch_Site="Cross-Site")
    assert not refused(guard(origins=[UI]), method, Sec_Fetch_Site="cross-site", Origin=UI)
    assert expected == refused(guard(origins=[UI]), method, Sec_Fetch_Site="cross-site", Origin="https://evil")


def test_a_listed_origin_may_read_and_no_other():
    found = guard(origins=[UI])
    assert found.cross_origin(UI, ["Content-Type", "X-A"]) == {
        "Access-Control-Allow-Origin": UI,
        "Access-Control-Expose-Headers": "X-A",
    }
    assert found.cross_origin("https://evil", ["X-A"]) == found.preflight("https://evil", ["GET"], "X-A") == {}


def test_a_preflight_never_reflects_what_is_no_list_of_names():
    found = guard(origins=[UI]).preflight(UI, ["GET", "HEAD"], "X-A, X-B")
    assert found["Access-Control-Allow-Headers"] == "X-A, X-B"
    assert found["Access-Control-Allow-Methods"] == "GET, HEAD"
    assert "Access-Control-Allow-Headers" not in guard(origins=[UI]).preflight(UI, ["GET"], "X-A\r\nSet-Cookie: a")
