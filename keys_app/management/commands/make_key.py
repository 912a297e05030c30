"""Prints a new virtual key, for who lost the one that was printed once."""

from typing import Any

from django.core.management.base import BaseCommand

from keys_app.starting import starter_key


class Command(BaseCommand):
    help = "Issue a new virtual key of the service getting-started and print its secret."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:

        self.stdout.write(starter_key())
