"""Money as whole nanodollars, from price to page. Standard library only.

One dollar is 1,000,000,000 nanodollars. Prices are nanodollars per million units, a cost is
sum(units x price) divided once by a million, half to even. Formatting happens at the edge.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal

NANODOLLARS_PER_DOLLAR = 1_000_000_000
UNITS_PER_PRICE = 1_000_000


def cost_nanodollars(parts: Iterable[tuple[int, int]]) -> int:
    """Cost of (units, nanodollars per million units) pairs, rounded once, half to even."""
    return divide_half_even(sum(units * price for units, price in parts), UNITS_PER_PRICE)


def divide_half_even(amount: int, divisor: int) -> int:
    """amount / divisor as an integer, ties to the even neighbour."""
    quotient, remainder = divmod(amount, divisor)
    twice = remainder * 2
    if twice > divisor or (twice == divisor and quotient % 2):
        return quotient + 1
    return quotient


def parse_usd(amount: str | int | Decimal) -> int:
    """Dollars (decimal text, never a float) to nanodollars; ValueError if finer than a nanodollar."""
    nanodollars = Decimal(amount) * NANODOLLARS_PER_DOLLAR
    if nanodollars != nanodollars.to_integral_value():
        raise ValueError(f"{amount} dollars is finer than one nanodollar")
    return int(nanodollars)


def round_usd(amount: Decimal) -> int:
    """Dollars to the nearest nanodollar, half to even: for foreign figures only."""
    return int((amount * NANODOLLARS_PER_DOLLAR).to_integral_value(rounding=ROUND_HALF_EVEN))


def usd_string(nanodollars: int) -> str:
    """Exact decimal dollars without exponent or trailing zeros: 41200000 -> '0.0412'."""
    sign = "-" if nanodollars < 0 else ""
    whole, fraction = divmod(abs(nanodollars), NANODOLLARS_PER_DOLLAR)
    digits = f"{fraction:09d}".rstrip("0")
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"
