"""Bring the price book up to the installed public list: `manage.py sync_prices`."""

import importlib.metadata
from typing import Any

from django.core.management.base import BaseCommand

from usage_app.models import LedgerSettings
from usage_app.pricebook_sync import sync_list_prices


class Command(BaseCommand):
    help = "Reads the public price list into the price book; prices set here stay as they are."

    def handle(self, *args: Any, **options: Any) -> None:
        result = sync_list_prices()
        version = importlib.metadata.version("genai-prices")
        LedgerSettings.objects.update_or_create(pk=1, defaults={"price_list_version": version})
        self.stdout.write(
            f"{result.added} prices added, {result.changed} changed, {result.removed} removed, "
            f"{result.unchanged} as they were; {result.unpriced} cannot be charged by tokens."
        )
