"""How the axes of one shape lie in another with as many elements."""

from __future__ import annotations

from functools import lru_cache

from zerograd.shapes import Shape

Groups = tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]


@lru_cache(4096)
def groups(old: Shape, new: Shape) -> Groups | None:
    """The smallest runs of axes that hold the same elements in both shapes; an axis of size 1 stands alone.

    (2, 3, 4) and (6, 1, 4): ((0, 1), (0,)), ((), (1,)), ((2,), (2,)). ``None`` if there are no elements.
    """
    if 0 in old:
        return None
    found: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        if i < len(old) and old[i] == 1:
            found.append(((i,), ()))
            i += 1
        elif j < len(new) and new[j] == 1:
            found.append(((), (j,)))
            j += 1
        else:
            first_i, first_j = i, j
            m, n = old[i], new[j]
            i, j = i + 1, j + 1
            while m != n:
                if m < n:
                    m, i = m * old[i], i + 1
                else:
                    n, j = n * new[j], j + 1
            found.append((tuple(range(first_i, i)), tuple(range(first_j, j))))
    return tuple(found)


@lru_cache(4096)
def carried(part: Shape, whole: Shape, other: Shape) -> Shape | None:
    """The shape that ``part``, which expands to ``whole``, has when ``whole`` is reshaped to ``other``.

    (1, 4) of (6, 4) seen as (2, 3, 4) is (1, 1, 4). ``None`` where the expanded axes are mixed with others.
    """
    runs = groups(whole, other)
    if runs is None:
        return None
    shape = [1] * len(other)
    for mine, theirs in runs:
        sizes = [part[i] for i in mine]
        if sizes == [whole[i] for i in mine]:
            for j in theirs:
                shape[j] = other[j]
        elif any(size != 1 for size in sizes):
            return None
    return tuple(shape)


@lru_cache(4096)
def axes_carried(axes: Shape, whole: Shape, other: Shape) -> Shape | None:
    """The axes of ``other`` that hold the elements of these axes of ``whole``; ``None`` where they are mixed."""
    runs = groups(whole, other)
    if runs is None:
        return None
    found: list[int] = []
    for mine, theirs in runs:
        large = [i for i in mine if whole[i] != 1]
        chosen = [i for i in large if i in axes]
        if chosen and chosen != large:
            return None
        if chosen:
            found += [j for j in theirs if other[j] != 1]
    return tuple(found)
