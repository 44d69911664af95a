"""Writes zerograd/engines/native/mathematics/coefficients.py: polynomials for functions in machine code.

    python tools/fit_native_mathematics.py            # needs mpmath (it comes with torch)

Every polynomial is the best one in the sense of Chebyshev, found with Remez's exchange in 60 digits. Its coefficients
are rounded to the format one after the other, from the constant term on, and those left are fitted again each time.
The weight says what an error of the polynomial does to the function, relative to the function's value; the largest
such error stands beside each table.

Source: E. Remez, Sur un procédé convergent d'approximations successives pour déterminer les polynômes d'approximation,
1934. Rounding one by one: N. Brisebarre, S. Chevillard, Efficient polynomial L∞-approximations, 2007, the simple way.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import mpmath as mp
import numpy as np
from mpmath import mpf

TARGET = Path(__file__).parent.parent / "zerograd" / "engines" / "native" / "mathematics" / "coefficients.py"
POINTS = 400
EXCHANGES = 30

Real = Callable[[mpf], mpf]


class Fit(NamedTuple):
    """A polynomial to be found.

    Attributes:
        name: of the table.
        kind: float or double, the format of the coefficients.
        meaning: the polynomial's, for the reader.
        function: what it approaches.
        weight: see above.
        low, high: where.
        degree: of the polynomial.
    """

    name: str
    kind: str
    meaning: str
    function: Real
    weight: Real
    low: mpf
    high: mpf
    degree: int


def rounded(number: mpf, kind: str) -> mpf:
    return mpf(float(np.float32(float(number)))) if kind == "float" else mpf(float(number))


def alternating(errors: list[mpf], count: int) -> list[int]:
    """The places of ``count`` extremes with alternating signs, fewer if there are not so many."""
    places: list[int] = []
    for i, error in enumerate(errors):
        if places and errors[places[-1]] * error > 0:
            if abs(error) > abs(errors[places[-1]]):
                places[-1] = i
        elif error:
            places.append(i)
    while len(places) > count:
        if len(places) == count + 1:
            places.pop(0 if abs(errors[places[0]]) < abs(errors[places[-1]]) else -1)
        else:  # two neighbours go, so that the signs still alternate
            sizes = [max(abs(errors[a]), abs(errors[b])) for a, b in pairwise(places)]
            least = sizes.index(min(sizes))
            del places[least : least + 2]
    return places


class Grid:
    """A function at the points of Chebyshev, where its polynomial is looked for."""

    def __init__(self, fit: Fit) -> None:
        middle, half = (fit.low + fit.high) / 2, (fit.high - fit.low) / 2
        self.xs = [middle - half * mp.cos(mp.pi * (2 * k + 1) / (2 * POINTS)) for k in range(POINTS)]
        self.weights = [fit.weight(x) for x in self.xs]
        self.values = [fit.function(x) for x in self.xs]
        self.powers = [[x**p for p in range(fit.degree + 1)] for x in self.xs]

    def errors(self, coefficients: list[mpf]) -> list[mpf]:
        return [
            weight * (mp.fdot(coefficients, powers) - value)
            for weight, powers, value in zip(self.weights, self.powers, self.values, strict=True)
        ]

    def best(self, known: list[mpf]) -> list[mpf]:
        """The best coefficients of which the first are known: the best of the exchanges, should they not settle."""
        first, unknown = len(known), len(self.powers[0]) - len(known)
        places = [round((POINTS - 1) * k / unknown) for k in range(unknown + 1)]
        found: tuple[mpf, list[mpf]] | None = None
        for _ in range(EXCHANGES):
            system, right = mp.matrix(unknown + 1), mp.matrix(unknown + 1, 1)
            for row, place in enumerate(places):
                weight = self.weights[place]
                for column in range(unknown):
                    system[row, column] = weight * self.powers[place][first + column]
                system[row, unknown] = (-1) ** row
                right[row] = weight * (self.values[place] - mp.fdot(known, self.powers[place][:first]))
            solution = mp.lu_solve(system, right)
            coefficients = known + [solution[i] for i in range(unknown)]
            errors = self.errors(coefficients)
            worst = max(map(abs, errors))
            if found is None or worst < found[0]:
                found = worst, coefficients
            following = alternating(errors, unknown + 1)
            if following == places or len(following) <= unknown:
                break
            places = following
        assert found is not None
        return found[1]


def coefficients(fit: Fit) -> tuple[list[mpf], mpf]:
    """Rounded coefficients, constant term first, and the largest weighted error."""
    grid = Grid(fit)
    known: list[mpf] = []
    while len(known) <= fit.degree:
        known.append(rounded(grid.best(known)[len(known)], fit.kind))
    return known, max(map(abs, grid.errors(known)))


# --- the functions ---------------------------------------------------------------------------------------------

LOG_2 = mp.log(2)


def from_series(function: Real, series: Callable[[int], mpf], x: mpf) -> mpf:
    """A function whose formula cancels near 0, where its power series stands in."""
    return function(x) if abs(x) > mpf("1e-4") else mp.fsum(series(k) * x**k for k in range(16))


def exp_rest(x: mpf) -> mpf:
    return from_series(lambda x: (mp.exp(x) - 1 - x) / x**2, lambda k: 1 / mp.factorial(k + 2), x)


def exp2_rest(x: mpf) -> mpf:
    return from_series(lambda x: (2**x - 1) / x, lambda k: LOG_2 ** (k + 1) / mp.factorial(k + 1), x)


def log_rest(x: mpf) -> mpf:
    return from_series(lambda x: (mp.log1p(x) - x + x * x / 2) / x**3, lambda k: mpf((-1) ** k) / (k + 3), x)


def log_share(x: mpf) -> mpf:
    """Weight of ``log_rest``."""
    return abs(x**3 / mp.log1p(x)) if x else mpf(0)


def log_odd(z: mpf) -> mpf:
    s = mp.sqrt(z)
    return from_series(lambda z: (mp.log((1 + s) / (1 - s)) / s - 2) / z, lambda k: mpf(2) / (2 * k + 3), z)


MIDDLE = mpf(0.4967041015625)  # where the function is a number of the format, nearly


def log1p_share(t: mpf) -> mpf:
    s = t + MIDDLE
    return mp.log1p(s) / s if s else mpf(1)


def log1p_weight(t: mpf) -> mpf:
    """Of ``log1p_share``."""
    return 1 / log1p_share(t)


def sin_rest(z: mpf) -> mpf:
    r = mp.sqrt(z)
    return from_series(lambda z: (mp.sin(r) / r - 1) / z, lambda k: mpf(-1) ** (k + 1) / mp.factorial(2 * k + 3), z)


def cos_rest(z: mpf) -> mpf:
    r = mp.sqrt(z)
    return from_series(lambda z: (mp.cos(r) - 1 + z / 2) / z**2, lambda k: mpf(-1) ** k / mp.factorial(2 * k + 4), z)


def atan_rest(z: mpf) -> mpf:
    t = mp.sqrt(z)
    return from_series(lambda z: (mp.atan(t) / t - 1) / z, lambda k: mpf(-1) ** (k + 1) / (2 * k + 3), z)


def erf_exponent(t: mpf) -> mpf:
    return -mp.log(mp.erfc(t)) / t - 1 if t else 2 / mp.sqrt(mp.pi) - 1


def fits() -> Iterator[Fit]:
    """All tables."""
    half = LOG_2 / 2 * mpf("1.001")
    near, far = mp.sqrt(mpf(1) / 2) - 1, mp.sqrt(mpf(2)) - 1
    eighth = (mp.pi / 4 * mpf("1.01")) ** 2
    for kind, exp, expm1, exp2, sin, cos in (("float", 4, 5, 6, 3, 2), ("double", 10, 11, 12, 6, 6)):
        text = "(exp(r) - 1 - r) / r², |r| <= log(2) / 2, for exp(r)"
        yield Fit("EXP", kind, text, exp_rest, lambda r: r * r / mp.exp(r), -half, half, exp)
        text = "(exp(r) - 1 - r) / r², |r| <= log(2) / 2, for exp(r) - 1"
        yield Fit("EXPM1", kind, text, exp_rest, lambda r: abs(r * r / mp.expm1(r)), -half, half, expm1)
        text = "(2^r - 1) / r, |r| <= 1/2, for 2^r"
        yield Fit("EXP2", kind, text, exp2_rest, lambda r: abs(r) / 2**r, mpf(-0.5), mpf(0.5), exp2)
        text = "(sin(r) / r - 1) / z with z = r², |r| <= π/4, for sin(r)"
        yield Fit("SIN", kind, text, sin_rest, lambda z: z * mp.sqrt(z) / mp.sin(mp.sqrt(z)), mpf(0), eighth, sin)
        text = "(cos(r) - 1 + z/2) / z² with z = r², |r| <= π/4, for cos(r)"
        yield Fit("COS", kind, text, cos_rest, lambda z: z * z / mp.cos(mp.sqrt(z)), mpf(0), eighth, cos)
    text = "(log(1 + r) - r + r²/2) / r³, √2/2 <= 1 + r <= √2, for log(1 + r)"
    yield Fit("LOG", "float", text, log_rest, log_share, near, far, 7)
    text = "log(1 + s) / s with s = t + 0.4967041015625, 0 <= s <= 1, for log(1 + s)"
    yield Fit("LOG1P_OF_SHARE", "float", text, log1p_share, log1p_weight, -MIDDLE, 1 - MIDDLE, 10)
    text = "(log((1 + s) / (1 - s)) / s - 2) / z with z = s² <= (√2 - 1)² / (√2 + 1)², for the logarithm"
    top = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2
    yield Fit("LOG", "double", text, log_odd, lambda z: z / 2, mpf(0), top * mpf("1.001"), 6)
    text = "-log(1 - erf(t)) / t - 1, 0 <= t <= 3.95, for erf(t)"
    share = lambda t: mp.erfc(t) * t / mp.erf(t) if t else mp.sqrt(mp.pi) / 2  # noqa: E731
    yield Fit("ERF", "float", text, erf_exponent, share, mpf(0), mpf(3.95), 8)
    text = "(atan(t) / t - 1) / z with z = t² <= 1, for atan(t) in float"
    yield Fit("ATAN", "double", text, atan_rest, lambda z: z * mp.sqrt(z) / mp.atan(mp.sqrt(z)), mpf(0), mpf(1), 11)


HEADER = '''"""Coefficients of polynomials, constant term first, by function and format.

Written by tools/fit_native_mathematics.py; change that, not this.
"""

from __future__ import annotations

from typing import Final
'''


def text() -> str:
    """The file."""
    tables: dict[str, list[tuple[Fit, list[mpf], mpf]]] = {}
    for fit in fits():
        numbers, error = coefficients(fit)
        tables.setdefault(fit.name, []).append((fit, numbers, error))
        print(f"{fit.name:6} {fit.kind:6} 2^{float(mp.log(error, 2)):.1f}")
    parts = [HEADER]
    for name, entries in tables.items():
        lines = [f"{name}: Final = {{"]
        for fit, numbers, error in entries:
            lines.append(f"    # {fit.meaning}: 2^{float(mp.log(error, 2)):.1f}")
            row = textwrap.fill(", ".join(repr(float(one)) for one in numbers), 108)
            lines.append(f'    "{fit.kind}": (\n' + textwrap.indent(row, " " * 8) + ",\n    ),")
        parts.append("\n".join([*lines, "}  # fmt: skip\n"]))
    return "\n".join(parts)


if __name__ == "__main__":
    mp.mp.dps = 60
    TARGET.write_text(text())
