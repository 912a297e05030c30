"""The live sockets: of the page, which joins the groups its viewer may see and passes frames on, filtering
nothing; and of the navigation, which tells how many calls there are.

Session and rights are looked at again every few seconds; what was lost is left within that time.
A viewer who does not keep up is dropped: never a frame of somebody else, never a stream.
"""

import asyncio
import json
import logging
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl

from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings

from gateway_project import clock
from keys_app.audit import acting_from, record_event
from keys_app.models import User
from usage_app.live_groups import Chosen, groups_for
from usage_app.live_publisher import COUNT, WORKERS_GROUP
from usage_app.live_words import READ
from usage_app.selection import remembered
from usage_app.sight import sight_of

logger = logging.getLogger(__name__)

RECHECK_S = 5.0
#: A frame that a viewer's connection has not taken within this time drops the viewer.
SEND_S = 5.0
#: A viewer may ask for the whole picture at most so often.
ASK_AGAIN_S = 1.0
#: The navigation's number is asked for so often; a worker that is silent twice is gone.
COUNT_S = 2.0
READS = "usage_app.read_bodies"

SIGN_IN_AGAIN, TOO_SLOW = 4401, 4408


class Watcher(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    """A viewer's socket. Closing codes: 4401 sign in again, 4408 too slow."""

    is_open: bool = False

    def chosen(self, session: Any) -> Chosen | None:
        """The environment and service whose calls are shown."""
        raise NotImplementedError

    async def watch(self, viewer: User, groups: frozenset[str]) -> None:
        """The viewer may see these groups: at first, and with every check of session and rights again."""
        raise NotImplementedError

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async with asyncio.TaskGroup() as group:
            rechecks = group.create_task(self._recheck_forever())
            try:
                await super().__call__(scope, receive, send)
            finally:
                rechecks.cancel()

    async def connect(self) -> None:
        viewer, groups = await self._viewer_and_groups()
        if viewer is None:
            await self.close(SIGN_IN_AGAIN)
            return
        await self.accept()
        self.is_open = True
        await self.watch(viewer, groups)

    async def disconnect(self, code: int) -> None:
        self.is_open = False

    async def _recheck_forever(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_S)
            if self.is_open:
                await self.recheck()

    async def recheck(self) -> None:
        """Look at session and rights again."""
        try:
            viewer, groups = await self._viewer_and_groups()
        except Exception:
            # Without the database nobody's rights can be told: nothing more is shown.
            logger.exception("rights of a live viewer cannot be checked")
            viewer, groups = None, frozenset()
        if viewer is not None:
            await self.watch(viewer, groups)
            return
        self.is_open = False
        await self.close(SIGN_IN_AGAIN)

    async def tell(self, text: str) -> None:
        """Send a frame; whoever does not take it in time is dropped."""
        if not self.is_open:
            return
        try:
            async with asyncio.timeout(SEND_S):
                await self.send(text_data=text)
        except TimeoutError:
            self.is_open = False
            await self.close(TOO_SLOW)

    async def _viewer(self) -> User | None:
        return (await self._viewer_and_groups())[0]

    async def _viewer_and_groups(self) -> tuple[User | None, frozenset[str]]:
        """The session's user as the database knows them now, and what they may see; None once signed out or
        switched off."""
        session = self.scope.get("session")
        key = getattr(session, "session_key", None)
        fresh = await database_sync_to_async(_load_session)(key) if key else None
        user = await get_user({"session": fresh}) if fresh is not None else None
        if not isinstance(user, User) or not user.is_active:
            return None, frozenset()
        sight = await database_sync_to_async(sight_of)(user)
        return user, groups_for(sight, self.chosen(fresh))


class LiveConsumer(Watcher):
    """The Live page's: frames of the environment and service that its address names."""

    groups_joined: frozenset[str] = frozenset()
    has_joined: bool = False
    asked_at: float = 0.0
    reads: str = ""  # the call whose words the viewer asked for
    is_told: bool = False  # that it was read is in the audit log

    def chosen(self, session: Any) -> Chosen | None:
        return Chosen.of(dict(parse_qsl(self.scope["query_string"].decode("latin-1"))))

    async def watch(self, viewer: User, groups: frozenset[str]) -> None:
        """Join the groups, or renew the watch with the workers."""
        if groups == self.groups_joined and self.has_joined:
            await self._announce(whole=False)
        else:
            if self.has_joined:
                await self.send_json({"reset": True})
            await self._join(groups)
        if self.reads:
            may = await database_sync_to_async(viewer.has_perm)(READS)
            await self._announce_reading(on=may)

    async def disconnect(self, code: int) -> None:
        await super().disconnect(code)
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
        await self.tell(event["text"])

    async def _join(self, groups: frozenset[str]) -> None:
        for name in self.groups_joined - groups:
            await self.channel_layer.group_discard(name, self.channel_name)
        for name in groups - self.groups_joined:
            await self.channel_layer.group_add(name, self.channel_name)
        self.groups_joined, self.has_joined = groups, True
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


class CountConsumer(Watcher):
    """The navigation's: how many calls are in flight that the viewer may see, of what the pages show."""

    groups: frozenset[str] = frozenset()
    told: int | None = None

    def chosen(self, session: Any) -> Chosen | None:
        """As the page's address says; a page without a choice of its own counts what was chosen last."""
        named = dict(parse_qsl(self.scope["query_string"].decode("latin-1"), keep_blank_values=True))
        return Chosen.of(named if "environment" in named else remembered(session))

    async def connect(self) -> None:
        self.counts: dict[str, tuple[int, float]] = {}  # worker -> how many, and when it said so
        await super().connect()

    async def watch(self, viewer: User, groups: frozenset[str]) -> None:
        self.groups, self.checked_at = groups, clock.monotonic_ns() / 1e9
        await self._ask()

    async def _recheck_forever(self) -> None:
        while True:
            await asyncio.sleep(COUNT_S)
            if self.is_open and clock.monotonic_ns() / 1e9 - self.checked_at < RECHECK_S:
                await self._ask()
            elif self.is_open:
                await self.recheck()

    async def _ask(self) -> None:
        message = {"type": COUNT, "groups": sorted(self.groups), "reply": self.channel_name}
        await self.channel_layer.group_send(WORKERS_GROUP, message)

    async def live_counted(self, event: dict[str, Any]) -> None:
        """A worker's answer; the viewer is told when the sum is another one."""
        now = clock.monotonic_ns() / 1e9
        self.counts[event["epoch"]] = (event["count"], now)
        count = sum(each for each, at in self.counts.values() if now - at < 2 * COUNT_S)
        if count != self.told:
            self.told = count
            await self.tell(json.dumps({"count": count}))


def _load_session(key: str) -> Any:
    """The session as stored now; None when it is gone."""
    store = import_module(settings.SESSION_ENGINE).SessionStore(session_key=key)
    return store if store.load() else None
