"""`Idempotency-Key`: the same change asked for twice is made once, and answered alike both times.

The answer is kept encrypted for a day, since it may hold a secret that is shown once.
"""

import json
import logging
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response

from gateway_project.clock import now
from keys_app.crypto import Unreadable, decrypt, encrypt
from keys_app.models import IdempotentAnswer

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT = timedelta(hours=24)
#: a change that has not ended by then was cut short: it may be asked for again
UNFINISHED = timedelta(minutes=2)
LONGEST = 200

log = logging.getLogger(__name__)


class Replay(Exception):
    """The change was made before: this is what it was answered."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class StillRunning(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "still_running"


class OtherRequest(exceptions.APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "idempotency_key_reused"


def begin(request: Request, caller: str) -> IdempotentAnswer | None:
    """Claim the request's key, None without one; raises Replay, StillRunning, OtherRequest."""
    key = request.headers.get(HEADER, "")
    if not key or request.method != "POST":
        return None
    if len(key) > LONGEST or not key.isprintable():
        raise exceptions.ValidationError({HEADER: [_("Takes at most 200 printable characters.")]})
    fingerprint = _fingerprint(request)
    IdempotentAnswer.objects.filter(created_at__lt=now() - KEPT).delete()
    claim = IdempotentAnswer(caller=caller, idempotency_key=key, fingerprint=fingerprint)
    try:
        with transaction.atomic():
            claim.save(force_insert=True)
    except IntegrityError:
        return _known(caller, key, fingerprint)
    return claim


def _known(caller: str, key: str, fingerprint: str) -> IdempotentAnswer | None:
    row = IdempotentAnswer.objects.filter(caller=caller, idempotency_key=key).first()
    if row is None:
        raise StillRunning(_("The first request with this key ended just now: send it again."))
    if row.fingerprint != fingerprint:
        raise OtherRequest(_("This idempotency key belongs to another request."))
    if row.status is None:
        # Taken over by whoever changes the row first: two repeats do not both go on.
        stale = IdempotentAnswer.objects.filter(
            pk=row.pk, status=None, created_at=row.created_at, created_at__lt=now() - UNFINISHED
        )
        if stale.update(created_at=now()):
            return row
        raise StillRunning(_("The first request with this key is still being answered."))
    raise Replay(_answer(row))


def _answer(row: IdempotentAnswer) -> Response:
    try:
        data = json.loads(decrypt(row.answer_encrypted, _context(row)))
    except Unreadable:
        raise OtherRequest(_("What this request was answered can no longer be read.")) from None
    response = Response(data, status=row.status)
    response["Cache-Control"] = "no-store"
    response[REPLAYED] = "true"
    return response


def finish(claim: IdempotentAnswer, response: Any) -> None:
    """Keep the answer of a change that was made; a failed one may be asked for again."""
    if response.status_code >= 400:
        claim.delete()
        return
    if not hasattr(response, "rendered_content"):
        claim.delete()
        return
    text = response.rendered_content.decode() if response.data is not None else "null"
    claim.status = response.status_code
    claim.answer_encrypted = encrypt(text, _context(claim))
    claim.save(update_fields=["status", "answer_encrypted"])


def _context(row: IdempotentAnswer) -> str:
    return f"idempotent:{row.pk}"


def _fingerprint(request: Request) -> str:
    digest = sha256(f"{request.method} {request.path}\n".encode())
    digest.update(request._request.body)
    return digest.hexdigest()
