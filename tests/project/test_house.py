"""Rules of the house that no linter knows: changelog, decisions, words that must not appear, traps in the code."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = [path for root in ("server", "gateway") for path in sorted((ROOT / root).rglob("*.py"))]


def tracked() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode != 0:
        pytest.skip("not a git clone")
    return [ROOT / line for line in listing.stdout.splitlines() if (ROOT / line).is_file()]


def test_the_changelog_has_an_unreleased_section_with_known_headings():
    """Keep a Changelog: the newest section first, only its six headings."""
    text = (ROOT / "CHANGELOG.md").read_text()
    headings = set(re.findall(r"^### (.+)$", text, re.MULTILINE))

    assert "## [Unreleased]" in text
    assert headings <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_every_decision_has_context_decision_and_consequences():
    """Half a page with the same three headings each, numbered without a gap."""
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))

    assert [f"{number:04d}" for number in range(1, len(files) + 1)] == [path.name[:4] for path in files]
    for path in files:
        for word in ("**Context.**", "**Decision.**", "**Consequences.**"):
            assert word in path.read_text() or path.name.startswith("0001"), f"{path.name} lacks {word}"


def test_every_dependency_is_named_in_the_decisions():
    """A library without a written reason does not come in."""
    text = (ROOT / "pyproject.toml").read_text().split("dependencies = [", 1)[1].split("]", 1)[0]
    names = re.findall(r'"([A-Za-z0-9-]+)', text)
    reasons = (ROOT / "docs" / "decisions" / "0009-dependencies.md").read_text()

    missing = [name for name in names if name not in reasons and not name.startswith("grpcio-")]

    assert missing == []


def test_public_files_do_not_speak_of_the_workshop():
    """Code and documentation speak of the product, not of where it was made."""
    words = re.compile(r"\.\./shared|/work/|\bissue #?\d+\b|pypi\.org/simple|proxy\.golang", re.IGNORECASE)
    found = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.suffix in {".py", ".md", ".toml", ".proto", ".sql", ".yaml", ".yml", ""}
        and path != Path(__file__).resolve()
        and "data" not in path.relative_to(ROOT).parts
        and words.search(path.read_text(errors="ignore"))
    ]

    assert found == []


def _handlers(tree: ast.AST):
    return [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.type is not None]


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_cancellation_is_never_swallowed(path):
    """Whoever catches CancelledError raises it again, or a status in its place."""
    bad = [
        node.lineno
        for node in _handlers(ast.parse(path.read_text()))
        if "CancelledError" in ast.unparse(node.type)
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    ]

    assert bad == []


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_log_events_are_constant(path):
    """The event is a constant phrase, values are keys: lines can be counted and searched."""
    bad = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"debug", "info", "warning", "error", "exception"}
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"log", "logger"}
        and node.args
        and isinstance(node.args[0], ast.JoinedStr)
    ]

    assert bad == []
