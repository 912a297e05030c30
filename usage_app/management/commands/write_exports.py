"""`manage.py write_exports`: writes the files that people asked for. The ledger process starts it."""

from typing import Any

from django.core.management.base import BaseCommand

from usage_app.export_jobs import write_waiting


class Command(BaseCommand):
    requires_system_checks: list[str] = []
    help = "Writes the exports that wait, then ends."

    def handle(self, *args: Any, **options: Any) -> None:
        count = write_waiting()
        self.stdout.write(f"{count} exports written")
