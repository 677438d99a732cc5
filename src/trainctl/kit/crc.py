"""The CRC-32 of a whole from those of its parts, so that parts may be summed at the same time.

Source: zlib 1.2.12, crc32.c (crc32_combine): multiplication modulo the polynomial, bits reflected.
"""

from __future__ import annotations

from functools import lru_cache

_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31


def combine(first: int, second: int, second_bytes: int) -> int:
    """The CRC-32 of two pieces one after the other; O(log n) in the length of the second."""
    return _times(_shift(second_bytes), first) ^ second


@lru_cache(maxsize=64)  # parts and blocks are nearly all of the same length
def _shift(count: int) -> int:
    """What so many bytes of zeros multiply a checksum by: x to the power of 8 times as many."""
    product, at = _ONE, 3
    while count:
        if count & 1:
            product = _times(_power(at & 31), product)
        count >>= 1
        at += 1
    return product


@lru_cache(maxsize=None)
def _power(at: int) -> int:
    """What squaring x so many times gives; from 32 times on, they repeat."""
    return _times(_power(at - 1), _power(at - 1)) if at else _ONE >> 1


def _times(one: int, other: int) -> int:
    product, bit = 0, _ONE
    while one:
        if one & bit:
            product ^= other
            one ^= bit
        bit >>= 1
        other = other >> 1 ^ _POLYNOMIAL if other & 1 else other >> 1
    return product
