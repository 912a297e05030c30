"""Check the whole ledger: `manage.py audit_ledger`. Exit status 1 when anything differs."""

import sys
from itertools import chain
from typing import Any

from django.core.management.base import BaseCommand

from usage_app.ledger_audit import budget_differences, check_everything
from usage_app.ledger_series import UTC_ZONE, reporting_zone, series_since


class Command(BaseCommand):
    help = "Compares rows, quarter hours, days and budgets; says every difference."

    def handle(self, *args: Any, **options: Any) -> None:
        since = series_since()
        zones = {zone.key: zone for zone in (reporting_zone(), UTC_ZONE) if zone.key in since}
        checks = wrong = 0
        spans = [(zone, since[name]) for name, zone in zones.items()]
        for difference in chain(check_everything(spans), budget_differences()):
            checks += 1
            if not difference.is_zero:
                wrong += 1
                self.stdout.write(
                    f"{difference.what}: {difference.requests:+d} requests, "
                    f"{difference.nanodollars:+d} nanodollars, {difference.attempts:+d} failed attempts"
                )
        self.stdout.write(f"{checks} sums checked, {wrong} differ.")
        if wrong:
            sys.exit(1)
