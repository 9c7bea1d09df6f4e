"""Scales: how a factor per axis is reached in stages, and how it is said."""

from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes.body_axes import DIRECTIONS
from SuperResolution3DLib.volumes.geometry import Scale


def upsampling_stages(scale: Scale) -> list[Scale]:
    """Split a scale into stages of 2s and 3s per axis: (4, 4, 4) is [(2, 2, 2), (2, 2, 2)], (4, 1, 1) is 2 x (2, 1, 1).

    Raises:
        ValueError: a factor is no product of 2s and 3s, or all are 1.
    """
    factors = [_prime_factors(factor) for factor in scale]
    num_stages = max(len(primes) for primes in factors)
    if num_stages == 0:
        raise ValueError(f"Scale {scale} enlarges no axis")
    stages = [[primes[i] if i < len(primes) else 1 for primes in factors] for i in range(num_stages)]
    return [(depth, height, width) for depth, height, width in stages]


def scale_words(scale: Scale) -> Sentence:
    """Say factors in canonical order (D, H, W): ``4x along each axis``, ``4x head-foot``."""
    if len(set(scale)) == 1:
        return Sentence("factor-all", {"factor": scale[0]})
    scaled = [
        Sentence("factor-along", {"factor": factor, "direction": Sentence(name)})
        for factor, name in zip(reversed(scale), reversed(DIRECTIONS), strict=True)
        if factor > 1
    ]
    first, *more = scaled
    for item in more:
        first = Sentence("factors", {"first": first, "second": item})
    return first


def _prime_factors(factor: int) -> list[int]:
    primes, rest = [], factor
    for prime in (2, 3):
        while rest >= prime and rest % prime == 0:
            primes.append(prime)
            rest //= prime
    if rest != 1:
        raise ValueError(f"Each factor of a scale is a product of 2s and 3s, got {factor}")
    return primes
