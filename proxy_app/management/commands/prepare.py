"""Everything a start needs before the server: schema, static files, prices, first admin and key.

Prints one JSON object and nothing else on stdout; a reason not to start is one sentence on stderr.
"""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway_project.env import BadSetting
from proxy_app.setup import prepare
from proxy_app.setup_database import SetupFailed


class Command(BaseCommand):
    help = "Prepare the data folder and the database for a start; prints what the banner shows as JSON."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            prepared = prepare()
        except (SetupFailed, BadSetting) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(json.dumps(prepared.as_json(), ensure_ascii=False))
