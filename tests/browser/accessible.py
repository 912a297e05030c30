"""axe-core over a page: what it finds wrong, in a line each."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parent / "node" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
#: The rules whose answer differs by theme and width.
LOOKED_AT = ("color-contrast", "target-size")


@lru_cache(maxsize=1)
def _rules() -> str:
    return AXE.read_text("utf-8")


def violations(page: Page, rules: Sequence[str] = RULES) -> list[str]:
    """'rule: element (why)' of each violation. The rules are run beside the page's policy, not within it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_rules())
    ask = "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']}).then(r => r.violations)"
    found: list[dict[str, Any]] = page.evaluate(ask, list(rules))
    return [
        f"{rule['id']}: {node['target'][-1]} ({node['failureSummary'].splitlines()[-1].strip()})"
        for rule in found
        for node in rule["nodes"]
    ]
