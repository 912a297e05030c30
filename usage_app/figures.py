"""Figures as people read them: money, tokens, durations, shares. Pure text, no markup.

None is unknown and says so; nothing here rounds what is stored.
"""

from gateway_project.money import NANODOLLARS_PER_DOLLAR, usd_string
from usage_app.histograms import BOUNDS_MS

THIN_SPACE = "\u202f"
#: From this percentage on a change is told as how many times as much it is.
FOUR_FIGURES = 1000
_HUNDREDTHS = NANODOLLARS_PER_DOLLAR // 100


def grouped(number: int) -> str:
    """1234567 -> '1 234 567', with narrow no-break spaces."""
    return f"{number:,}".replace(",", THIN_SPACE)


def money(nanodollars: int, significant: int = 3) -> str:
    """Dollars with as many decimals as they need: $412.07, $0.0412, $0.00000135."""
    sign, amount = ("-" if nanodollars < 0 else ""), abs(nanodollars)
    if amount == 0:
        return "$0.00"
    if amount >= NANODOLLARS_PER_DOLLAR:
        hundredths = (amount + _HUNDREDTHS // 2) // _HUNDREDTHS
        return f"{sign}${hundredths // 100:,}.{hundredths % 100:02d}"
    decimals = min(9, 9 - len(str(amount)) + significant)
    step = 10 ** (9 - decimals)
    rounded = (amount + step // 2) // step * step
    text = usd_string(rounded)
    whole, _, fraction = text.partition(".")
    return f"{sign}${whole}.{fraction.ljust(2, '0')}"


def known_money(nanodollars: int, unpriced: int) -> str:
    """A sum of what is known, '$1.20+' where calls without a price would add to it."""
    return money(nanodollars) + ("+" if unpriced > 0 else "")


def exact_money(nanodollars: int) -> str:
    """Dollars to the last nanodollar, at least two decimals."""
    sign, text = ("-" if nanodollars < 0 else ""), usd_string(abs(nanodollars))
    whole, _, fraction = text.partition(".")
    return f"{sign}${int(whole):,}.{fraction.ljust(2, '0')}"


def short_count(number: float) -> str:
    """At most four characters and a unit, as long as there is one: 999, 12.4 k, 3.05 M, 1.2 B, 30.0 T."""
    for limit, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        if abs(number) >= limit:
            scaled = number / (1e3 if unit == "k" else limit)
            digits = 2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0
            return f"{scaled:,.{digits}f}{THIN_SPACE}{unit}".replace(",", THIN_SPACE)
    return grouped(round(number))


def duration(milliseconds: float) -> str:
    """A duration in the unit a person would say: 0.4 ms, 320 ms, 4.2 s, 3 min 5 s."""
    if 0 < milliseconds < 0.05:
        return f"<{THIN_SPACE}0.1{THIN_SPACE}ms"
    if milliseconds < 10:
        return f"{milliseconds:.1f}{THIN_SPACE}ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f}{THIN_SPACE}ms"
    seconds = milliseconds / 1000
    if seconds < 9.95:
        return f"{seconds:.1f}{THIN_SPACE}s"
    if seconds < 59.5:
        return f"{seconds:.0f}{THIN_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{THIN_SPACE}min" + (f" {rest}{THIN_SPACE}s" if rest else "")
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{THIN_SPACE}h" + (f" {minutes}{THIN_SPACE}min" if minutes else "")


def usual(milliseconds: float) -> str:
    """A percentile of durations, which are counted in buckets: the first and the last have one bound."""
    if milliseconds <= BOUNDS_MS[0]:
        return f"<{THIN_SPACE}{BOUNDS_MS[0]:.0f}{THIN_SPACE}ms"
    if milliseconds > BOUNDS_MS[-1]:
        return f">{THIN_SPACE}{duration(BOUNDS_MS[-1])}"
    return duration(milliseconds)


def share(part: float, whole: float) -> str:
    """part of whole in percent: 0 %, 0.4 %, 12 %; an empty whole has no share."""
    if not whole:
        return ""
    percent = 100 * part / whole
    if percent == 0:
        return f"0{THIN_SPACE}%"
    if abs(percent) < 0.1:
        return f"<{THIN_SPACE}0.1{THIN_SPACE}%"
    digits = 1 if abs(percent) < 10 else 0
    return f"{percent:,.{digits}f}{THIN_SPACE}%".replace(",", THIN_SPACE)


def change(now: float | None, before: float | None) -> float | None:
    """How much now is over (+) or under (-) before, in percent; None where that says nothing."""
    if now is None or not before:
        return None
    return 100 * (now - before) / before


def signed_percent(change: float) -> str:
    """+18 %, −3 %, ±0 %; how many times as much where a percentage has four figures: × 22."""
    if abs(change) < 0.5:
        return f"±0{THIN_SPACE}%"
    if change >= FOUR_FIGURES:
        return f"×{THIN_SPACE}{grouped(round(1 + change / 100))}"
    return f"{change:+.0f}{THIN_SPACE}%".replace("-", "−")


def signed_points(change: float) -> str:
    """A difference of two percentages, without its unit: +1.4, −0.3, +12, ±0."""
    if abs(change) < 0.05:
        return "±0"
    return f"{change:+.{0 if abs(change) >= 9.95 else 1}f}".replace("-", "−")
