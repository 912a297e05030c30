"""The live socket: joins the groups its viewer may see and passes frames on, filtering nothing.

Session and rights are looked at again every few seconds; what was lost is left within that time.
A viewer who does not keep up is dropped: never a frame of somebody else, never a stream.
"""

import asyncio
import logging
from importlib import import_module
from typing import Any

from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings

from gateway_project import clock
from keys_app.audit import acting_from, record_event
from keys_app.models import User
from usage_app.live_publisher import EVERYTHING_GROUP, WORKERS_GROUP, service_group, user_group
from usage_app.live_words import READ
from usage_app.sight import Sight, sight_of

logger = logging.getLogger(__name__)

RECHECK_S = 5.0
#: A frame that a viewer's connection has not taken within this time drops the viewer.
SEND_S = 5.0
#: A viewer may ask for the whole picture at most so often.
ASK_AGAIN_S = 1.0
READS = "usage_app.read_bodies"

SIGN_IN_AGAIN, TOO_SLOW = 4401, 4408


def groups_for(sight: Sight) -> frozenset[str]:
    """The groups whose every call this viewer may see."""
    if sight.everything:
        return frozenset({EVERYTHING_GROUP})
    groups = {service_group(str(service_id)) for service_id in sight.service_ids}
    if sight.user_id:
        groups.add(user_group(str(sight.user_id)))
    return frozenset(groups)


class LiveConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    """One viewer. Closing codes: 4401 sign in again, 4408 too slow."""

    groups_joined: frozenset[str] = frozenset()
    asked_at: float = 0.0
    is_open: bool = False
    reads: str = ""  # the call whose words the viewer asked for
    is_told: bool = False  # that it was read is in the audit log

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async with asyncio.TaskGroup() as group:
            rechecks = group.create_task(self._recheck_forever())
            try:
                await super().__call__(scope, receive, send)
            finally:
                rechecks.cancel()

    async def connect(self) -> None:
        viewer = await self._viewer()
        if viewer is None:
            await self.close(SIGN_IN_AGAIN)
            return
        await self.accept()
        self.is_open = True
        await self._join(await self._groups_of(viewer))

    async def disconnect(self, code: int) -> None:
        self.is_open = False
        if self.reads:
            await self._announce_reading(on=False)
        for name in self.groups_joined:
            await self.channel_layer.group_discard(name, self.channel_name)
        self.groups_joined = frozenset()

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """What a viewer may say: {"again": true}, after a gap or a silence; {"read": id}, to read what
        is said in a call as it comes, from its beginning; {"read": ""}, to read no more."""
        if not isinstance(content, dict):
            return
        now = clock.monotonic_ns() / 1e9
        if content.get("again") and now - self.asked_at >= ASK_AGAIN_S:
            self.asked_at = now
            await self._announce(whole=True)
        elif isinstance(wanted := content.get("read"), str):
            await self._read(wanted)

    async def _read(self, call_id: str) -> None:
        if call_id != self.reads:
            if self.reads:
                await self._announce_reading(on=False)
            self.reads, self.is_told = call_id, False
        if self.reads:
            viewer = await self._viewer()
            may = viewer is not None and await database_sync_to_async(viewer.has_perm)(READS)
            await self._announce_reading(on=may, again=True)

    async def live_said(self, event: dict[str, Any]) -> None:
        """Words of the call that is read: its first ones once the audit log has who read them."""
        if event["call"] != self.reads:
            return
        if not self.is_told:
            viewer = await self._viewer()
            if viewer is None:
                return
            client = self.scope.get("client")
            with acting_from(client[0] if client else ""):
                note = database_sync_to_async(record_event)
                await note(viewer, "read", "usage_app.capturedbody", self.reads, {})
            self.is_told = True
        await self.live_frame(event)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kw: Any) -> None:
        if text_data is None or len(text_data) > 200:
            return
        try:
            await super().receive(text_data=text_data)
        except ValueError:
            logger.debug("a viewer said something that is not JSON")

    async def live_frame(self, event: dict[str, Any]) -> None:
        """A frame from a worker, passed on as it is."""
        if not self.is_open:
            return
        try:
            async with asyncio.timeout(SEND_S):
                await self.send(text_data=event["text"])
        except TimeoutError:
            self.is_open = False
            await self.close(TOO_SLOW)

    # ------------------------------------------------------------ rights

    async def _recheck_forever(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_S)
            if self.is_open:
                await self.recheck()

    async def recheck(self) -> None:
        """Look at session and rights again, and renew the watch with the workers."""
        try:
            viewer = await self._viewer()
            groups = await self._groups_of(viewer) if viewer else frozenset()
        except Exception:
            # Without the database nobody's rights can be told: nothing more is shown.
            logger.exception("rights of a live viewer cannot be checked")
            viewer, groups = None, frozenset()
        if viewer is None:
            self.is_open = False
            await self.close(SIGN_IN_AGAIN)
            return
        if groups != self.groups_joined:
            await self.send_json({"reset": True})
            await self._join(groups)
        else:
            await self._announce(whole=False)
        if self.reads:
            may = await database_sync_to_async(viewer.has_perm)(READS)
            await self._announce_reading(on=may)

    async def _join(self, groups: frozenset[str]) -> None:
        for name in self.groups_joined - groups:
            await self.channel_layer.group_discard(name, self.channel_name)
        for name in groups - self.groups_joined:
            await self.channel_layer.group_add(name, self.channel_name)
        self.groups_joined = groups
        await self._announce(whole=True)

    async def _announce(self, *, whole: bool) -> None:
        message = {
            "type": "live.watch",
            "groups": sorted(self.groups_joined),
            "reply": self.channel_name,
            "whole": whole,
        }
        await self.channel_layer.group_send(WORKERS_GROUP, message)

    async def _announce_reading(self, *, on: bool, again: bool = False) -> None:
        message = {
            "type": READ,
            "call": self.reads,
            "groups": sorted(self.groups_joined),
            "reply": self.channel_name,
            "on": on,
            "again": again,
        }
        await self.channel_layer.group_send(WORKERS_GROUP, message)

    async def _viewer(self) -> User | None:
        """The session's user as the database knows them now; None once signed out or switched off."""
        session = self.scope.get("session")
        key = getattr(session, "session_key", None)
        if not key:
            return None
        fresh = await database_sync_to_async(_load_session)(key)
        user = await get_user({"session": fresh}) if fresh is not None else None
        return user if isinstance(user, User) and user.is_active else None

    async def _groups_of(self, viewer: User) -> frozenset[str]:
        return groups_for(await database_sync_to_async(sight_of)(viewer))


def _load_session(key: str) -> Any:
    """The session as stored now; None when it is gone."""
    store = import_module(settings.SESSION_ENGINE).SessionStore(session_key=key)
    return store if store.load() else None
