"""`manage.py write_exports`: writes the files that people asked for, and computes and applies corrections of
prices. The ledger process starts it."""

from typing import Any

from django.core.management.base import BaseCommand

from gateway_project.conf import config
from usage_app import corrections
from usage_app.export_jobs import write_waiting


class Command(BaseCommand):
    requires_system_checks: list[str] = []
    help = "Writes the exports and does the corrections of prices that wait, then ends."

    def handle(self, *args: Any, **options: Any) -> None:
        corrected = corrections.work(config().journal_dir)
        count = write_waiting()
        self.stdout.write(f"{count} exports written, {corrected} corrections looked at")
