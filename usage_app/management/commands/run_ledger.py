"""The ledger process: `manage.py run_ledger`. The supervisor keeps one running per host."""

import logging
import math
import signal
import socket
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.backends.signals import connection_created

from gateway_project.conf import config
from gateway_project.lifeline import watch
from usage_app.ledger import AfterCommit, Ledger, LedgerRunning
from usage_app.limit_settling import LimitSettler
from usage_app.telling import Teller

logger = logging.getLogger("gatehouse.ledger")

ORPHAN_GRACE_S = 5.0


class Command(BaseCommand):
    requires_system_checks: list[str] = []  # they import every page and view: memory for nothing here
    help = "Moves the workers' journals into the database until it is told to stop."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="Read to the end, then stop.")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        watch(stop.set, grace_s=ORPHAN_GRACE_S)
        connection_created.connect(make_durable, dispatch_uid="ledger")
        connection.close()  # one that exists already was opened without it
        settler = LimitSettler.for_shared_limits(config())
        told: list[AfterCommit] = [settler] if settler else []
        ledger = Ledger(config().journal_dir, socket.gethostname(), after_commit=told)
        teller = ledger.upkeep.teller = Teller()
        if options["once"]:
            stop.set()
        if not wait_for_turn(ledger, stop, patient=not options["once"]):
            return
        try:
            if options["once"]:
                ledger.run(stop, drain_s=math.inf)
            else:
                ledger.run(stop)
        finally:
            ledger.unlock()
            teller.close()
            ledger.upkeep.exports.close()
            if settler:
                settler.close()


def wait_for_turn(ledger: Ledger, stop: threading.Event, *, patient: bool) -> bool:
    """Hold the data folder's lock; a predecessor that is still draining is waited for."""
    told = False
    while True:
        try:
            ledger.lock()
        except LedgerRunning as problem:
            if not patient:
                raise CommandError(str(problem)) from None
            if not told:
                logger.warning("%s Waiting for it to end.", problem)
            told = True
            if stop.wait(0.5):
                return False
        else:
            return True


def make_durable(connection: Any, **_: Any) -> None:
    """What is committed is on the disk: only then may a journal's segment be deleted."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA synchronous=FULL")
            # The ledger copies the log back itself, after a commit and not within one.
            cursor.execute("PRAGMA wal_autocheckpoint=0")
        elif connection.vendor == "postgresql":
            cursor.execute("SET synchronous_commit = on")
