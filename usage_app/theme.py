"""Unfold's colours and radius as one stylesheet, under an address that changes with them."""

import hashlib
from functools import cache
from typing import Any

from django.contrib import admin


@cache
def theme_stylesheet() -> str:
    """The variables that Unfold's compiled styles read."""
    site: Any = admin.site
    lines = [f"--border-radius: {site._get_config('BORDER_RADIUS') or '6px'};"]
    for name, weights in site._get_colors("COLORS").items():
        lines += [f"--color-{name}-{weight}: {value};" for weight, value in weights.items()]
    return ":root {" + " ".join(lines) + "}"


@cache
def theme_version() -> str:
    return hashlib.sha256(theme_stylesheet().encode()).hexdigest()[:12]
