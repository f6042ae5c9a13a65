"""Fits the vocabulary of a language to its training text: whole words, or pieces of them.

Source of the pieces: byte pair encoding, Sennrich, Haddow & Birch (2016), arXiv:1508.07909.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

from nettuner.models.data.preprocessing import SPECIAL, Pair, Vocabulary, join, letters, tokenise


def fit_vocabulary(
    sentences: Iterable[str], *, subword: bool, size: int, min_count: int, lowercase: bool
) -> Vocabulary:
    """The vocabulary of these sentences.

    Args:
        sentences: The training text.
        subword: True for pieces of words, False for whole words.
        size: Most tokens, those of `SPECIAL` included.
        min_count: Tokens rarer than this stay unknown, and pairs rarer than this apart.
        lowercase: True to put text in lower case first.

    Raises:
        ValueError: No token occurs `min_count` times.
    """
    words = Counter(token for line in sentences for token in tokenise(line, lowercase))
    counts = words
    if subword:
        counts = Counter()
        for word, count in words.items():
            for letter in letters(word):
                counts[letter] += count
    room = size - len(SPECIAL)
    frequent = sorted((-count, token) for token, count in counts.items() if count >= min_count)
    tokens = [token for _, token in frequent[:room]]
    if not tokens:
        raise ValueError(
            f"a vocabulary needs tokens that occur {min_count} times in the training text, got "
            "none; lower min_count or give more text"
        )
    if not subword:
        return Vocabulary((*SPECIAL, *tokens), None, lowercase)
    merges = learn_merges(words, room - len(tokens), min_count)
    # Two ways to spell a piece are one token.
    pieces = dict.fromkeys([*tokens, *(join(pair, pair)[0] for pair in merges)])
    return Vocabulary((*SPECIAL, *pieces), tuple(merges), lowercase)


def learn_merges(words: Counter[str], most: int, min_count: int) -> list[Pair]:
    """The pairs of pieces that byte pair encoding joins, in order.

    The most frequent pair is joined first, the first in the alphabet of equals.

    Args:
        words: Number of occurrences of each word.
        most: Pairs at most.
        min_count: Pairs rarer than this are not joined.
    """
    counts = list(words.values())
    spelled = [letters(word) for word in words]
    pairs: Counter[Pair] = Counter()
    places: dict[Pair, set[int]] = defaultdict(set)
    for i, pieces in enumerate(spelled):
        for pair in pairwise(pieces):
            pairs[pair] += counts[i]
            places[pair].add(i)
    queue = [(-count, pair) for pair, count in pairs.items()]
    heapq.heapify(queue)
    merges: list[Pair] = []
    while queue and len(merges) < most:
        count, best = heapq.heappop(queue)
        if -count != pairs[best]:
            continue  # counted anew since, and queued again
        if -count < min_count:
            break
        merges.append(best)
        changed: set[Pair] = set()
        for i in places.pop(best):
            before, after = spelled[i], join(spelled[i], best)
            for pair in pairwise(before):
                pairs[pair] -= counts[i]
            for pair in pairwise(after):
                pairs[pair] += counts[i]
                places[pair].add(i)
            changed |= {*pairwise(before), *pairwise(after)}
            spelled[i] = after
        for pair in changed - {best}:
            if pairs[pair]:
                heapq.heappush(queue, (-pairs[pair], pair))
    return merges
