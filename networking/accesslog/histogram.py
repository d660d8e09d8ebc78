"""Latency in fixed buckets, so that minutes, versions and keys can be added up."""

from bisect import bisect_left
from collections.abc import Sequence

# Upper bounds in milliseconds, inclusive; one bucket more takes what is longer. Changing them
# makes stored rows mean something else.
BOUNDS_MS = (
    *(1, 2, 5, 10, 20, 50, 100, 200, 500),
    *(1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000),
)
BUCKETS = len(BOUNDS_MS) + 1


def bucket_of(duration_ms: int) -> int:
    """Return the index of the bucket that takes this duration."""
    return bisect_left(BOUNDS_MS, duration_ms)


def quantile_ms(counts: Sequence[int], share: float) -> float | None:
    """Return the duration that this share of calls stayed within, None when there were none.

    It lies in the right bucket; inside it calls are taken to be spread evenly. What is longer
    than the last bound is given as the last bound.
    """
    rank = share * sum(counts)
    below = 0
    for index, count in enumerate(counts[: len(BOUNDS_MS)]):
        if count and below + count >= rank:
            lower = BOUNDS_MS[index - 1] if index else 0
            inside = max(rank - below, 0) / count
            return lower + (BOUNDS_MS[index] - lower) * inside
        below += count
    return float(BOUNDS_MS[-1]) if sum(counts) else None
