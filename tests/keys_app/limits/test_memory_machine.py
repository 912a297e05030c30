"""The state machine over the memory home."""

from hypothesis import settings

from keys_app.limits import LimitStore, MemoryStore
from tests.keys_app.limits.machine import StoreMachine


class MemoryMachine(StoreMachine):
    def make_store(self) -> LimitStore:
        return MemoryStore()


TestMemoryMachine = MemoryMachine.TestCase
TestMemoryMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
