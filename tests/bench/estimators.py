"""Bias and coverage of every fit, and the time to score: python -m tests.bench.estimators.

Run by hand, with OPENBLAS_NUM_THREADS=1 in the environment: threads that wait for one another
take longer than the work. Prints two tables. Customers are drawn at random from known parameters
(tests/estimators/simulate.py), fitted, and drawn again: a fit is right when its estimates average
the truth, when they scatter as much as its standard errors say, and when its 95 % intervals hold
the truth in 95 of 100 draws. The rows "by day" cannot: they fit the same customers as a ledger has
them, several purchases of a day as one, and say what that costs: little of what is expected of a
customer, some of the parameters. The seeds are fixed, so the first table is the same on every
machine; the second is only as good as the machine is quiet.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from scipy.stats import binom

from orchestration.estimators import (
    bg_nbd,
    gamma_gamma,
    kaplan_meier,
    logistic,
    risk_ratio,
    sbg,
)
from orchestration.estimators.fit import Fit, Parameter, quantity_interval
from tests.estimators import simulate

SEED = 20261123
# Contracts are seen for up to so many renewals, purchases for between so many weeks.
PERIODS = 12
WEEKS = (27.0, 104.0)
# Model, quantity, truth, estimate with standard error and interval.
Row = tuple[str, str, float, Parameter]
Result = TypeVar("Result")


def lifetime(fit: Fit) -> float:
    """Discounted lifetime of a new customer at 10 % a period."""
    return float(sbg.residual_lifetime(fit, 1, 0.10)[0])


def first_year(fit: Fit) -> float:
    """Repeat purchases of a new customer in 52 weeks."""
    return bg_nbd.cohort_purchases(fit, 52)


def five_years(fit: Fit) -> float:
    """Discounted purchases over 260 weeks of a customer alive after 3 in 40 weeks."""
    return float(bg_nbd.discounted_purchases_if_alive(fit, 3, 40, 260, 0.10)[0])


def mean_spend(fit: Fit) -> float:
    """What customers' purchases average."""
    return float(gamma_gamma.expected_mean(fit, 0, 0)[0])


def parametric(
    model: str, fit: Fit, truth: dict[str, float], quantities: Sequence[Callable[[Fit], float]]
) -> Iterator[Row]:
    """Rows of a fit's parameters and of what is computed from them."""
    if not fit.converged:
        raise RuntimeError(f"{model} was not fitted: {fit.method}, {fit.reason}.")
    for parameter in fit.parameters:
        yield model, parameter.name, truth[parameter.name], parameter
    known = Fit.known(fit.method, **truth)
    for quantity in quantities:
        yield model, quantity.__name__, quantity(known), quantity_interval(fit, quantity)


def contracts(rng: np.random.Generator, n: int) -> Iterator[Row]:
    """Of the sBG and of Kaplan and Meier's curve, seen from the start and half of them late."""
    for late in (False, True):
        label = ", half seen late" if late else ""
        table = simulate.contracts(rng, n, PERIODS, late=late)
        yield from parametric(f"sBG{label}", sbg.fit(*table), simulate.SBG, [lifetime])
        curve = kaplan_meier.curve(*table)
        truth = sbg.survival(Fit.known("sbg", **simulate.SBG), curve.time)
        for at in (0, 5, PERIODS - 1):
            seen = Parameter(
                f"S({curve.time[at]:g})",
                *(float(each[at]) for each in (curve.survival, curve.standard_error)),
                *(float(each[at]) for each in (curve.lower, curve.upper)),
            )
            yield f"Kaplan-Meier{label}", seen.name, float(truth[at]), seen


def purchases(rng: np.random.Generator, n: int) -> Iterator[Row]:
    """Of the BG/NBD, to the moment and by whole days."""
    for label, draw in (("", simulate.purchases), (", by day", simulate.by_day)):
        made = draw(rng, rng.uniform(*WEEKS, n))
        fit = bg_nbd.fit(made.frequency, made.recency, made.age)
        yield from parametric(f"BG/NBD{label}", fit, simulate.BG_NBD, [first_year, five_years])


def spend(rng: np.random.Generator, n: int) -> Iterator[Row]:
    """Of the gamma-gamma; n customers with a repeat purchase."""
    fit = gamma_gamma.fit(*simulate.spend(rng, n))
    return parametric("gamma-gamma", fit, simulate.GAMMA_GAMMA, [mean_spend])


def churners(rng: np.random.Generator, n: int) -> Iterator[Row]:
    """Of the logistic regression."""
    fit = logistic.fit(tuple(simulate.LOGISTIC)[1:], *simulate.churners(rng, n))
    return parametric("logistic", fit, simulate.LOGISTIC, [])


def ratios(rng: np.random.Generator, n: int) -> Iterator[Row]:
    """Of the risk ratio, crude and in 50 strata whose risks differ; the truth is 3."""
    exposed = n // 10
    cases = rng.binomial([exposed, n - exposed], [0.015, 0.005])
    crude = risk_ratio.risk_ratio(cases[0], exposed, cases[1], n - exposed)
    yield "risk ratio", "RR", 3.0, _parameter(crude)
    strata = 50
    share, risk = np.linspace(0.02, 0.4, strata), np.linspace(0.001, 0.03, strata)
    n1 = np.round(n / strata * share).astype(int)
    n0 = n // strata - n1
    a, c = rng.binomial(n1, 3 * risk), rng.binomial(n0, risk)
    yield "Mantel-Haenszel", "RR", 3.0, _parameter(risk_ratio.mantel_haenszel(a, n1, c, n0))


def _parameter(ratio: risk_ratio.Ratio) -> Parameter:
    error = ratio.estimate * ratio.log_error
    return Parameter("RR", ratio.estimate, error, ratio.lower, ratio.upper)


def coverage_bounds(draws: int) -> tuple[int, int]:
    """Between how many of the draws a 95 % interval covers the truth, but for 1 in 1,000."""
    return int(binom.ppf(0.0005, draws, 0.95)), int(binom.ppf(0.9995, draws, 0.95))


MODELS = (contracts, purchases, spend, churners, ratios)


def coverage(customers: int, draws: int, minutes: float) -> None:
    """Prints the table of bias and coverage."""
    drawn: dict[tuple[str, str, float], list[Parameter]] = defaultdict(list)
    began, done = time.monotonic(), 0
    while done < draws and time.monotonic() - began < 60 * minutes:
        for index, model in enumerate(MODELS):
            for name, quantity, truth, estimate in model(
                np.random.default_rng([SEED, done, index]), customers
            ):
                drawn[name, quantity, truth].append(estimate)
        done += 1
    seconds = time.monotonic() - began
    fewest, most = coverage_bounds(done)
    print(f"{done} draws of {customers:,} customers in {seconds:.0f} s. Bias in standard errors;")
    print("scatter is SD of estimates / mean error. An interval that covers as it should does so")
    print(f"in {fewest} to {most} draws, but for 1 in 1,000; * marks one outside.\n")
    print(f"{'model':28} {'quantity':12} {'truth':>9} {'mean':>9} {'bias':>7} {'of se':>6}", end="")
    print(f" {'scatter':>7} {'covered':>7}")
    for (name, quantity, truth), estimates in drawn.items():
        values = np.array([each.value for each in estimates])
        error = np.mean([each.standard_error for each in estimates])
        bias = values.mean() - truth
        covered = sum(each.lower < truth < each.upper for each in estimates)
        mark = "" if fewest <= covered <= most else " *"
        print(
            f"{name:28} {quantity:12} {truth:9.4f} {values.mean():9.4f} {bias / truth:7.2%} "
            f"{bias / error:6.2f} {values.std(ddof=1) / error:7.2f} {covered / done:7.3f}{mark}"
        )


def speed(customers: int) -> None:
    """Prints what fitting and scoring take, of customers by day and of all-different ones."""
    rng = np.random.default_rng(SEED)
    made = simulate.by_day(rng, rng.uniform(1, 520, customers))
    rows = np.column_stack([made.frequency, made.recency, made.age])
    order = np.lexsort(rows.T)
    rows = rows[order]
    first = np.flatnonzero(np.append(True, (np.diff(rows, axis=0) != 0).any(axis=1)))
    count = np.diff(np.append(first, len(rows)))
    x, t_x, age = np.ascontiguousarray(rows[first].T)
    pairs = len({*zip(x.tolist(), age.tolist(), strict=True)})
    print(
        f"\n{customers:,} customers by day over ten years: {x.size:,} distinct (x, t_x, T), ",
        end="",
    )
    print(f"{pairs:,} distinct (x, T)\n")
    fit = _timed("fit BG/NBD", lambda: bg_nbd.fit(x, t_x, age, count))
    _timed("P(alive)", lambda: bg_nbd.alive(fit, x, t_x, age))
    _timed("E[Y(52)]", lambda: bg_nbd.expected_purchases(fit, x, t_x, age, 52))
    _timed("DET, 260 weeks", lambda: bg_nbd.discounted_purchases(fit, x, t_x, age, 260, 0.1))
    size = 500_000
    ages = rng.uniform(1, 520, size)
    last, many = ages * rng.uniform(0.01, 1, size), rng.geometric(0.1, size)
    print(f"\n{size:,} customers of whom no two are alike\n")
    _timed("P(alive)", lambda: bg_nbd.alive(fit, many, last, ages))
    _timed("E[Y(52)]", lambda: bg_nbd.expected_purchases(fit, many, last, ages, 52))
    _timed("DET, 260 weeks", lambda: bg_nbd.discounted_purchases(fit, many, last, ages, 260, 0.1))
    frequency, mean = simulate.spend(rng, size)
    spend_fit = _timed("fit gamma-gamma", lambda: gamma_gamma.fit(frequency, mean))
    _timed("E[M]", lambda: gamma_gamma.expected_mean(spend_fit, frequency, mean))


def _timed(what: str, work: Callable[[], Result]) -> Result:
    began, cpu = time.monotonic(), time.process_time()
    result = work()
    print(f"{what:20} {time.monotonic() - began:7.2f} s {time.process_time() - cpu:7.2f} CPU s")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=10, help="no draw begins after these")
    parser.add_argument("--scored", type=int, default=1_000_000, help="0 leaves out the second")
    given = parser.parse_args(arguments)
    coverage(given.customers, given.draws, given.minutes)
    if given.scored:
        speed(given.scored)


if __name__ == "__main__":
    main()
