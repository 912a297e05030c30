"""What one process counts: money of a budget's period, the last minute of a rate limit, what calls hold."""

from collections import deque

from keys_app.limits.contract import WINDOW_MS, RateDemand

_MERGE_MS = 100  # requests this close together share an entry of the window


class Counter:
    """One budget in one period."""

    __slots__ = ("calls", "ends_at_ms", "held", "later", "spent")

    def __init__(self) -> None:
        self.spent = 0
        self.held = 0
        self.later = 0  # of what is held: for costs that come later
        self.calls = 0
        self.ends_at_ms: int | None = None


class Entry:
    """Requests of one instant (up to 100 ms); it counts until a minute after its last one."""

    __slots__ = ("first_ms", "gone", "last_ms", "requests", "tokens")

    def __init__(self, at_ms: int) -> None:
        self.first_ms = at_ms
        self.last_ms = at_ms
        self.requests = 0
        self.tokens = 0
        self.gone = False


class Window:
    """The last minute of one rate limit, and the calls open now."""

    __slots__ = ("entries", "open", "requests", "tokens")

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.requests = 0
        self.tokens = 0
        self.open = 0

    def slide(self, now_ms: int) -> None:
        entries = self.entries
        oldest = now_ms - WINDOW_MS
        while entries and entries[0].last_ms <= oldest:
            entry = entries.popleft()
            entry.gone = True
            self.requests -= entry.requests
            self.tokens -= entry.tokens

    def add(self, tokens: int, now_ms: int) -> Entry:
        entries = self.entries
        if entries and now_ms - entries[-1].first_ms < _MERGE_MS:
            entry = entries[-1]
            entry.last_ms = max(entry.last_ms, now_ms)
        else:
            entry = Entry(now_ms)
            entries.append(entry)
        entry.requests += 1
        entry.tokens += tokens
        self.requests += 1
        self.tokens += tokens
        return entry

    def reset_ms(self, now_ms: int) -> int:
        return self.entries[-1].last_ms + WINDOW_MS - now_ms if self.entries else 0

    def wait_ms(self, requests: int, tokens: int, now_ms: int) -> int:
        """How long until this many requests and tokens of the minute have stopped counting."""
        for entry in self.entries:
            requests -= entry.requests
            tokens -= entry.tokens
            if requests <= 0 and tokens <= 0:
                return max(1, entry.last_ms + WINDOW_MS - now_ms)
        return WINDOW_MS


class Hold:
    """What one open call holds."""

    __slots__ = ("at_ms", "budgets", "is_later", "rates")

    def __init__(self, at_ms: int, *, is_later: bool = False) -> None:
        self.at_ms = at_ms
        self.is_later = is_later
        #: amount, counter, hard limit
        self.budgets: dict[tuple[str, str], tuple[int, Counter, int | None]] = {}
        #: window, entry, tokens counted there
        self.rates: dict[str, tuple[Window, Entry, int, RateDemand]] = {}
