"""Prints a new password of the first admin, for who lost the one that was printed once."""

from typing import Any

from django.core.management.base import BaseCommand

from keys_app.starting import reset_admin


class Command(BaseCommand):
    help = "Set a new password for the user admin and print it."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:

        self.stdout.write(reset_admin())
