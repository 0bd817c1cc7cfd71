"""Agreement: how often reviewers who judged the same pairs said the same.

Enters: who said what of which pair. Leaves: the share of pairs on which all agree, and Cohen's kappa of each two reviewers, which takes away
what two who guess as they do would agree on by chance (J. Cohen, "A coefficient of agreement for nominal scales", 1960).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations


@dataclass(frozen=True)
class Couple:
    """Two reviewers, by name. pairs: judged by both; share: of these, said the same of, in [0, 1]; kappa: in [-1, 1], 1 = always
    the same, 0 = as by chance; None where both said one and the same of all, so that nothing can be told from it."""

    first: str
    second: str
    pairs: int
    share: float
    kappa: float | None


@dataclass(frozen=True)
class Agreement:
    """pairs: judged by two reviewers or more; share: of these, all said the same of, in [0, 1], None where there is no such pair;
    couples: every two reviewers with a pair in common, by name."""

    pairs: int
    share: float | None
    couples: list[Couple]


def agreement(said: Mapping[str, Mapping[str, str]]) -> Agreement:
    """`said`: pair id -> reviewer -> verdict, one each."""
    shared = [of_pair for of_pair in said.values() if len(of_pair) > 1]
    both: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for of_pair in shared:
        for first, second in combinations(sorted(of_pair), 2):
            both.setdefault((first, second), []).append((of_pair[first], of_pair[second]))
    alike = sum(len(set(of_pair.values())) == 1 for of_pair in shared)
    couples = [Couple(*names, len(couple), _share(couple), _kappa(couple)) for names, couple in sorted(both.items())]
    return Agreement(len(shared), alike / len(shared) if shared else None, couples)


def _share(said: list[tuple[str, str]]) -> float:
    return sum(one == other for one, other in said) / len(said)


def _kappa(said: list[tuple[str, str]]) -> float | None:
    n = len(said)
    firsts, seconds = zip(*said, strict=True)
    # counts, so that "by chance always the same" is found exactly
    by_chance = sum(firsts.count(word) * seconds.count(word) for word in set(firsts))
    if by_chance == n * n:
        return None
    expected = by_chance / (n * n)
    return (_share(said) - expected) / (1 - expected)
