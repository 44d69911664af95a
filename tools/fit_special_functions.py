"""Writes zerograd/ops/special/tables.py: polynomials fitted to the special functions.

    python tools/fit_special_functions.py            # needs mpmath (it comes with torch)

Every table is a Chebyshev interpolant computed with 60 digits, cut where its terms fall below 2e-17 of the
function's largest value, and written as plain coefficients of t in [-1, 1], constant term first. A fit whose
coefficients would lose digits in float64 (their sum is far above the function) is refused: choose shorter
pieces.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import mpmath as mp
import numpy as np
from mpmath import mpf

TARGET = Path(__file__).parent.parent / "zerograd" / "ops" / "special" / "tables.py"
CUT = mpf("2e-17")
WORST_AMPLIFICATION = 12

Function = Callable[[mpf], mpf]

HEADER = '''"""Polynomial coefficients of the special functions, constant term first.

Written by tools/fit_special_functions.py; change that, not this.
"""

from __future__ import annotations

from typing import Final
'''


def chebyshev_coefficients(function: Function, degree: int) -> list[mpf]:
    """Of the interpolant in ``degree + 1`` Chebyshev points of [-1, 1]."""
    count = degree + 1
    angles = [mp.pi * (index + mpf("0.5")) / count for index in range(count)]
    values = [function(mp.cos(angle)) for angle in angles]
    coefficients = []
    for order in range(count):
        total = mp.fsum(value * mp.cos(order * angle) for value, angle in zip(values, angles, strict=True))
        coefficients.append(total * (1 if order == 0 else 2) / count)
    return coefficients


def to_powers(chebyshev: list[mpf]) -> list[mpf]:
    """Coefficients of 1, t, t**2, ... of a Chebyshev series, by T[k+1] = 2 t T[k] - T[k-1]."""
    size = len(chebyshev)
    before, current = [mpf(0)] * size, [mpf(0)] * size
    before[0] = mpf(1)
    if size > 1:
        current[1] = mpf(1)
    powers = [chebyshev[0] * term for term in before]
    for weight in chebyshev[1:]:
        powers = [power + weight * term for power, term in zip(powers, current, strict=True)]
        following = [2 * lower - older for lower, older in zip([mpf(0), *current[:-1]], before, strict=True)]
        before, current = current, following
    return powers


def fit(name: str, function: Function, meaning: str, degree: int = 63, cut: mpf = CUT) -> str:
    """One table, as text."""
    series = chebyshev_coefficients(function, degree)
    largest = max(abs(function(mpf(step) / 20)) for step in range(-19, 20, 2))
    while abs(series[-1]) < cut * largest:
        series.pop()
    if len(series) > degree - 3:
        raise ValueError(f"{name}: not converged with degree {degree}, last {mp.nstr(series[-3:], 3)}")
    powers = to_powers(series)
    amplification = float(sum(map(abs, powers)) / largest)
    print(f"{name:<24} degree {len(powers) - 1:>3}   amplification {amplification:.2f}")
    if amplification > WORST_AMPLIFICATION:
        raise ValueError(f"{name}: would lose digits, amplification {amplification:.1f}")
    return table(name, [float(power) for power in powers], meaning)


def table(name: str, values: list[float], meaning: str) -> str:
    body = textwrap.fill(", ".join(map(repr, values)) + ",", 104, break_on_hyphens=False)
    return f"# {meaning}\n{name}: Final = (\n{textwrap.indent(body, '    ')}\n)  # fmt: skip\n"


def on(low: float | mpf, high: float | mpf, function: Function) -> Function:
    """``function`` on [low, high] as a function of t in [-1, 1]."""
    low, high = mpf(low), mpf(high)
    return lambda t: function((high + low) / 2 + (high - low) / 2 * t)


# --------------------------------------------------------------------------------- the error function


def scaled_erfc(x: mpf) -> mpf:
    with mp.workdps(80):
        if x > 25:  # DLMF 7.12.1
            terms = [mpf(1)]
            for k in range(1, 60):
                terms.append(-terms[-1] * (2 * k - 1) / (2 * x * x))
            return mp.fsum(terms) / (x * mp.sqrt(mp.pi))
        return mp.exp(x * x) * mp.erfc(x)


def erfcx_over_half_line(centre: float) -> Function:
    """(1 + 2x) erfcx(x) for x in [0, inf), with t = 1 - 2c / (x + c)."""

    def function(t: mpf) -> mpf:
        x = centre * (1 + t) / (1 - t)
        return (1 + 2 * x) * scaled_erfc(x)

    return function


def quantile(w: mpf) -> tuple[mpf, mpf]:
    """(x, erfinv(x)) where 1 - x**2 = exp(-w)."""
    x = mp.sqrt(-mp.expm1(-w))
    tail = mp.exp(-w) / (1 + x)
    q = mp.sqrt(w) * mpf("0.9") if w > 1 else x
    for _ in range(200):  # Newton for log(erfc(q)) = log(tail)
        scaled = scaled_erfc(q)
        step = (mp.log(scaled / tail) - q * q) * scaled * mp.sqrt(mp.pi) / 2
        q += step
        if abs(step) < abs(q) * mpf(10) ** (8 - mp.mp.dps):
            return x, q
    raise ValueError(f"no convergence at w = {w}")


def erf_through_tanh(degree: int = 6, top: float = 3.92) -> str:
    """P with erf(x) ~ tanh(x P(x**2)) and the smallest largest relative error, by Lawson's reweighting."""
    x = top * (1 - np.cos((np.arange(4000) + 0.5) / 4000 * np.pi)) / 2
    erf, erfc = np.array([math.erf(one) for one in x]), np.array([math.erfc(one) for one in x])
    target = (np.log1p(erf) - np.log(erfc)) / (2 * x)
    importance = x * erfc * (1 + erf) / erf  # how an error of P changes erf
    basis = np.polynomial.chebyshev.chebvander(2 * x * x / top**2 - 1, degree)
    weights, smallest, best = np.ones_like(x), np.inf, np.zeros(degree + 1)
    for _ in range(400):
        scale = np.sqrt(weights) * importance
        solution = np.linalg.lstsq(basis * scale[:, None], target * scale, rcond=None)[0]
        errors = np.abs((basis @ solution - target) * importance)
        if errors.max() < smallest:
            smallest, best = errors.max(), solution
        weights *= errors / errors.max() + 1e-3
        weights /= weights.max()
    shift = np.polynomial.Polynomial([-1, 2 / top**2])
    powers = np.polynomial.Polynomial(np.polynomial.chebyshev.cheb2poly(best))(shift).coef
    # Beyond the fitted range tanh must stay at 1, which it does while P grows.
    assert powers[-1] > 0
    assert all(powers @ far ** np.arange(degree + 1) > 2 for far in np.geomspace(15, 1e6, 100))
    print(f"{'ERF_TANH':<24} degree {degree:>3}   error {smallest:.1e}")
    return table("ERF_TANH", [float(np.float32(power)) for power in powers], "P with erf(x) = tanh(x P(x**2)) to 1e-7")


def error_function() -> list[str]:
    def central(w: mpf) -> mpf:
        x, q = quantile(w)
        return q / x

    def tail(s: mpf) -> mpf:
        return quantile(s * s)[1] / s

    half_line = "(1 + 2x) erfcx(x) for x >= 0, t = 1 - 7.5 / (x + 3.75)"
    return [
        fit("ERF", on(0, 1, lambda s: mp.erf(mp.sqrt(s)) / mp.sqrt(s)), "erf(x) / x, t = 2 x**2 - 1"),
        erf_through_tanh(),
        fit("ERFCX", erfcx_over_half_line(3.75), half_line),
        fit("ERFCX_SINGLE", erfcx_over_half_line(3.75), half_line + "; to 2e-9", cut=mpf("2e-9")),
        fit("ERFINV", on(0, 6, central), "erfinv(x) / x, t = w / 3 - 1, w = -log(1 - x**2) <= 6"),
        fit("ERFINV_TAIL", on(mp.sqrt(6), 6.5, tail), "erfinv(x) / s, s = sqrt(w) <= 6.5, t linear in s"),
        fit("ERFINV_FAR", on(1 / mpf(28), 1 / mpf(6.5), lambda r: tail(1 / r)),
            "erfinv(x) / s, s in [6.5, 28], t linear in 1 / s"),
    ]  # fmt: skip


# ---------------------------------------------------------------------------------- gamma and relatives


def digamma_root() -> mpf:
    return mp.findroot(mp.digamma, mpf("1.46"))


def gamma_functions() -> list[str]:
    root = digamma_root()
    nearest = float(root)

    def slope(x: mpf) -> mpf:
        return mp.digamma(x) / (x - root)

    return [
        fit(
            "LGAMMA",
            on(-0.5, 0.5, lambda z: mp.loggamma(2 + z) / z),
            "lgamma(2 + z) / z for |z| <= 1/2, t = 2z",
        ),
        table(
            "DIGAMMA_ROOT",
            [nearest, float(root - nearest)],
            "The zero of digamma in (1, 2): the nearest float, the rest",
        ),
        fit("DIGAMMA", on(1, 2, slope), "digamma(x) / (x - root) for x in [1, 2], t = 2x - 3"),
        *incomplete_gamma(),
    ]


def incomplete_gamma() -> list[str]:
    """Temme's coefficients C[k][n] of DLMF 8.12.

    c_0(η) = 1/μ - 1/η and c_k(η) = (1/η) dc_{k-1}/dη + g_k/μ, where η²/2 = μ - log(1 + μ) and g_k is the
    number for which the poles at η = 0 cancel.
    """
    orders, terms = 13, 22
    length = terms + 2 * orders + 4
    # μ = Σ α_i η**i (α_0 = 0): from η = μ' (stuff): η (1 + μ) = μ dμ/dη.
    alpha = [Fraction(0), Fraction(1)]
    for n in range(2, length + 2):
        # Coefficient of η**n in μ μ' - η μ - η = 0, where μ' has coefficients (i + 1) α_{i + 1}.
        known = sum((alpha[i] * (n + 1 - i) * alpha[n + 1 - i] for i in range(2, n)), Fraction(0))
        alpha.append((alpha[n - 1] - known) / (n + 1))
    # 1 / μ = 1/η * Σ beta_i η**i
    beta = [Fraction(1)]
    for n in range(1, length + 1):
        beta.append(-sum((alpha[i + 1] * beta[n - i] for i in range(1, n + 1)), Fraction(0)))
    # c as coefficients of η**n for n >= 0; 1/μ - 1/η has no pole.
    current = beta[1 : length + 1]
    rows = [current]
    for _ in range(1, orders):
        # (1/η) c' has the pole c_1 / η, which γ_k / μ = γ_k (1/η + ...) must cancel.
        weight = -rows[-1][1]
        derived = [(n + 2) * rows[-1][n + 2] for n in range(len(rows[-1]) - 2)]
        rows.append([value + weight * beta[n + 1] for n, value in enumerate(derived)])
    texts = []
    for row in rows:
        values = [float(value) for value in row[:terms]]
        while abs(values[-1]) * 0.4 ** (len(values) - 1) < 1e-19:
            values.pop()
        texts.append(
            "    ("
            + textwrap.indent(
                textwrap.fill(", ".join(map(repr, values)) + ",", 100, break_on_hyphens=False), "     "
            ).strip()
            + "),"
        )
    body = "\n".join(texts)
    return [
        f"# Temme's C[k][n] of DLMF 8.12.10: Σ_k a**-k Σ_n C[k][n] η**n\nTEMME: Final = (\n{body}\n)  # fmt: skip\n"
    ]


# ----------------------------------------------------------------------------------------------- Bessel


def amplitude_and_phase(order: int, x: mpf) -> tuple[mpf, mpf]:
    """P and x Q of DLMF 10.17.3: J = sqrt(2/(πx)) (P cos χ - Q sin χ), χ = x - (order/2 + 1/4) π."""
    with mp.workdps(90):
        chi = x - (mpf(order) / 2 + mpf("0.25")) * mp.pi
        scale = mp.sqrt(mp.pi * x / 2)
        j, y = scale * mp.besselj(order, x), scale * mp.bessely(order, x)
        return j * mp.cos(chi) + y * mp.sin(chi), x * (y * mp.cos(chi) - j * mp.sin(chi))


def bessel() -> list[str]:
    def far(order: int, which: int) -> Function:
        return on(0, 1, lambda y: amplitude_and_phase(order, 8 / mp.sqrt(y))[which])

    def y_rest(order: int) -> Function:
        """Y without its logarithm (and for order 1 its pole), as a function of z = x**2."""

        def function(z: mpf) -> mpf:
            x = mp.sqrt(z)
            logarithm = 2 / mp.pi * mp.log(x) * mp.besselj(order, x)
            if order == 0:
                return mp.bessely(0, x) - logarithm
            return (mp.bessely(1, x) - logarithm + 2 / (mp.pi * x)) / x

        return function  # fmt: skip

    tables = []
    near = {
        "J0": lambda z: mp.besselj(0, mp.sqrt(z)),
        "J1": lambda z: mp.besselj(1, mp.sqrt(z)) / mp.sqrt(z),
        "Y0": y_rest(0),
        "Y1": y_rest(1),
    }
    meanings = {
        "J0": "J0(x)", "J1": "J1(x) / x", "Y0": "Y0(x) - 2/π log(x) J0(x)",
        "Y1": "(Y1(x) - 2/π log(x) J1(x) + 2/(πx)) / x",
    }  # fmt: skip
    for name, function in near.items():
        meaning = meanings[name]
        tables.append(fit(f"{name}_NEAR", on(0, 16, function), f"{meaning} for x in [0, 4], t = x**2 / 8 - 1"))
        tables.append(fit(f"{name}_MIDDLE", on(16, 64, function), f"{meaning} for x in [4, 8], t = (x**2 - 40) / 24"))
    for order in (0, 1):
        tables.append(fit(f"P{order}", far(order, 0), f"P of DLMF 10.17.3, order {order}, x >= 8, t = 128 / x**2 - 1"))
        tables.append(fit(f"Q{order}", far(order, 1), f"x Q of DLMF 10.17.3, order {order}, x >= 8, t as above"))
    return tables


def modified_bessel() -> list[str]:
    def i_far(order: int) -> Function:
        return on(0, 1, lambda r: mp.sqrt(8 / r) * mp.exp(-8 / r) * mp.besseli(order, 8 / r))

    def k_far(order: int) -> Function:
        return on(0, 1, lambda r: mp.sqrt(2 / r) * mp.exp(2 / r) * mp.besselk(order, 2 / r))

    def k0_near(z: mpf) -> mpf:
        x = mp.sqrt(z)
        return mp.besselk(0, x) + mp.log(x / 2) * mp.besseli(0, x)

    def k1_near(z: mpf) -> mpf:
        x = mp.sqrt(z)
        return x * (mp.besselk(1, x) - mp.log(x / 2) * mp.besseli(1, x))

    return [
        fit("I0_FAR", i_far(0), "sqrt(x) exp(-x) I0(x) for x >= 8, t = 16 / x - 1"),
        fit("I1_FAR", i_far(1), "sqrt(x) exp(-x) I1(x) for x >= 8, t = 16 / x - 1"),
        fit("K0_NEAR", on(0, 4, k0_near), "K0(x) + log(x/2) I0(x) for x <= 2, t = x**2 / 2 - 1"),
        fit("K1_NEAR", on(0, 4, k1_near), "x (K1(x) - log(x/2) I1(x)) for x <= 2, t = x**2 / 2 - 1"),
        fit("K0_FAR", k_far(0), "sqrt(x) exp(x) K0(x) for x >= 2, t = 4 / x - 1"),
        fit("K1_FAR", k_far(1), "sqrt(x) exp(x) K1(x) for x >= 2, t = 4 / x - 1"),
    ]


def airy() -> list[str]:
    def right(r: mpf) -> mpf:
        """2 sqrt(π) x**(1/4) exp(ζ) Ai(x), r = ζ(2) / ζ."""
        zeta = mpf(4) / 3 * mp.sqrt(2) / r
        x = (zeta * 3 / 2) ** (mpf(2) / 3)
        return 2 * mp.sqrt(mp.pi) * x ** mpf("0.25") * mp.exp(zeta) * mp.airyai(x)

    def left(which: int) -> Function:
        """P and ζ Q of DLMF 9.7.9: Ai(-x) = (P cos(ζ - π/4) + Q sin(ζ - π/4)) / (sqrt(π) x**(1/4))."""

        def function(y: mpf) -> mpf:
            with mp.workdps(90):
                zeta = mpf(2) / 3 * mpf(8) ** mpf("1.5") / mp.sqrt(y)
                x = (zeta * 3 / 2) ** (mpf(2) / 3)
                scale, angle = mp.sqrt(mp.pi) * x ** mpf("0.25"), zeta - mp.pi / 4
                a, b = scale * mp.airyai(-x), scale * mp.airybi(-x)
                p = a * mp.cos(angle) - b * mp.sin(angle)
                q = a * mp.sin(angle) + b * mp.cos(angle)
                return p if which == 0 else zeta * q

        return function  # fmt: skip

    tables = [fit("AIRY_RIGHT", on(0, 1, right), "2 sqrt(π) x**(1/4) exp(ζ) Ai(x) for x >= 2, t = 2 ζ(2) / ζ - 1")]
    for name, low in (("NEAR", 0), ("M2", -2), ("M4", -4), ("M6", -6), ("M8", -8)):
        tables.append(
            fit(
                f"AIRY_{name}",
                on(low, low + 2, mp.airyai),
                f"Ai(x) for x in [{low}, {low + 2}], t = x - {low + 1}",
            )
        )
    tables.append(fit("AIRY_P", on(0, 1, left(0)), "P of DLMF 9.7.9 for x <= -8, t = 2 (ζ(8) / ζ)**2 - 1"))
    tables.append(fit("AIRY_Q", on(0, 1, left(1)), "ζ Q of DLMF 9.7.9 for x <= -8, t as above"))
    return tables


def main() -> None:
    mp.mp.dps = 60
    families = (error_function, gamma_functions, bessel, modified_bessel, airy)
    TARGET.write_text(HEADER + "\n" + "\n".join(text for family in families for text in family()))


if __name__ == "__main__":
    main()
