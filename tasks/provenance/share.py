"""A share of counts with its Wilson interval."""

import math
from dataclasses import dataclass

Z95 = 1.959963984540054


@dataclass(frozen=True, kw_only=True)
class Share:
    """hits of n, with the 95 % Wilson score interval; 0 of 0 says nothing: interval 0 to 1."""

    hits: int
    n: int
    value: float
    low: float
    high: float


def share(hits: int, n: int) -> Share:
    """Make a share of hits in n."""
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} hits of {n}: must be between 0 and n")
    if n == 0:
        return Share(hits=0, n=0, value=0.0, low=0.0, high=1.0)
    rate = hits / n
    centre = rate + Z95**2 / (2 * n)
    reach = Z95 * math.sqrt(rate * (1 - rate) / n + Z95**2 / (4 * n * n))
    scale = 1 + Z95**2 / n
    low, high = max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)
    return Share(hits=hits, n=n, value=rate, low=low, high=high)
