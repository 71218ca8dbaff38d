"""What every fit returns, and how a log-likelihood is maximised.

Holds the result of a fit, the optimiser that the likelihood models share, and what may be said
about a number computed from a fit. The likelihoods, and what stands in where one cannot be
fitted, belong to the models' own modules.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtri

from orchestration.estimators.inputs import Array, Mask, require_between

# Of the log-likelihood and its gradient, at the logarithms of the parameters.
Objective = Callable[[Array], tuple[float, Array]]

LEVEL = 0.95
# Parameters are looked for between these, in units of the data's own scale: beyond them a mixing
# distribution is a point or two, and the data cannot tell how narrow or how wide.
LOWEST, HIGHEST = 1e-4, 1e4
# A maximum is one when a Newton step from it promises less than this of log-likelihood, which is
# when it is less than a thousandth of a standard error away.
PROMISE = 1e-6
POLISHING_STEPS = 25
DIFFERENCE = 1e-4


@dataclass(frozen=True)
class Parameter:
    """One estimated number.

    Attributes:
        name: As the model's source calls it.
        value: The estimate.
        standard_error: Of the value; NaN when the fit gives none.
        lower: Lower end of its 95 % interval; NaN when the fit gives none.
        upper: Upper end.
    """

    name: str
    value: float
    standard_error: float = math.nan
    lower: float = math.nan
    upper: float = math.nan


@dataclass(frozen=True)
class Fit:
    """What a model says after it has seen the data.

    Attributes:
        method: The model that these parameters belong to: the one asked for or the one that
            stands in for it. Goes into a `method` column.
        reason: Why another model stands in, or what to know about this one; empty when nothing.
        parameters: The estimates; none when there is nothing to say about the future.
        covariance: Of the parameters, shape (k, k); NaN where unknown.
        log_likelihood: At the parameters; NaN when no likelihood was maximised.
        n: What was counted: customers, or for hazards customer-periods at risk.
        converged: Whether the model that was asked for reached its maximum.
    """

    method: str
    reason: str
    parameters: tuple[Parameter, ...]
    covariance: Array
    log_likelihood: float
    n: float
    converged: bool

    @classmethod
    def known(cls, method: str, **parameters: float) -> "Fit":
        """A model whose parameters are given: published ones, or an assumption.

        Args:
            method: Name of the model.
            parameters: Its parameters by name, in the model's order.
        """
        return standing_in(method, "given, not fitted", 0.0, **parameters)

    def __getitem__(self, name: str) -> float:
        """Value of the parameter of that name; KeyError when the model has none."""
        return self.values[name]

    def __contains__(self, name: str) -> bool:
        """Whether the model has a parameter of that name."""
        return name in self.values

    @property
    def values(self) -> dict[str, float]:
        """Parameters by name, in the model's order."""
        return {parameter.name: parameter.value for parameter in self.parameters}


def standing_in(method: str, reason: str, n: float, **parameters: float) -> Fit:
    """What is returned in place of a fit: a simpler model, or none.

    Args:
        method: Its name.
        reason: Why the model that was asked for is not here.
        n: What was counted.
        parameters: Its parameters by name; their standard errors are unknown.
    """
    stated = tuple(Parameter(name, value) for name, value in parameters.items())
    unknown = np.full((len(stated), len(stated)), math.nan)
    return Fit(method, reason, stated, unknown, math.nan, n, converged=False)


def pooled(own: Fit, pool: Fit) -> Fit:
    """A segment's fit, or the fit of all segments where its own did not converge.

    Args:
        own: The segment's.
        pool: That of all segments together.

    Returns:
        `own` where it converged or `pool` did not; else `pool`, its method prefixed `pooled_`,
        with the segment's reason and n.
    """
    if own.converged or not pool.converged:
        return own
    return replace(pool, method=f"pooled_{pool.method}", reason=own.reason, n=own.n)


def normal_quantile(level: float) -> float:
    """Standard errors either side of an estimate that a two-sided interval takes.

    Args:
        level: Share of the time it should cover, e.g. .95 → 1.959964.

    Raises:
        ValueError: The level is not between 0 and 1.
    """
    require_between(0, 1, level=level)
    return float(ndtri(0.5 + level / 2))


@dataclass(frozen=True)
class Optimum:
    """Where a log-likelihood is largest.

    Attributes:
        point: Logarithms of the parameters, shape (k,).
        log_likelihood: There.
        covariance: Of the logarithms: the inverse of the negative Hessian, shape (k, k); NaN in
            the rows of parameters that lie on a bound, everywhere when there is no maximum.
        is_bound: Which parameters lie on a bound, shape (k,).
        promise: What a Newton step promises in log-likelihood; infinite when there is no maximum.
    """

    point: Array
    log_likelihood: float
    covariance: Array
    is_bound: Mask
    promise: float

    @property
    def converged(self) -> bool:
        """Whether the gradient says that this is a maximum."""
        return self.promise < PROMISE


def maximise(objective: Objective, starts: Sequence[Sequence[float]], n: float) -> Optimum:
    """The largest of the maxima reached from several starts.

    Quasi-Newton (L-BFGS-B) from every start, then Newton steps from the best with a Hessian of
    central differences of the gradient (Nocedal & Wright, *Numerical Optimization*, 2006, ch. 3
    and 7), all on the logarithms of the parameters between LOWEST and HIGHEST.

    Args:
        objective: Log-likelihood and its gradient at a point, shape (k,).
        starts: Parameters (not logarithms) to start from, shape (s, k).
        n: What the log-likelihood sums over; scales the stopping rules.
    """
    low, high = math.log(LOWEST), math.log(HIGHEST)

    def descend(start: Sequence[float]) -> tuple[float, Array]:
        def cost(point: Array) -> tuple[float, Array]:
            value, gradient = objective(point)
            return -value / n, -gradient / n

        found = minimize(
            cost,
            np.clip(np.log(start), low, high),
            jac=True,
            method="L-BFGS-B",
            bounds=[(low, high)] * len(start),
            options={"maxiter": 200, "ftol": 1e-10, "gtol": 1e-6},
        )
        return -float(found.fun), np.asarray(found.x, dtype=np.float64)

    # Ties go to the earlier start, so that the answer depends on nothing else.
    best = max((descend(start) for start in starts), key=lambda found: found[0])[1]
    return _polished(objective, best, low, high)


def _polished(objective: Objective, point: Array, low: float, high: float) -> Optimum:
    value, gradient = objective(point)
    for _ in range(POLISHING_STEPS):
        bound = _on_bound(point, gradient, low, high)
        information = _information(objective, point, ~bound)
        step, promise = _newton_step(information, gradient[~bound])
        if promise < PROMISE / 100:
            break
        moved = _climbed(objective, point, value, step, ~bound, (low, high))
        if moved is None:
            break
        point, value, gradient = moved
    else:
        promise = math.inf
    covariance = np.full((point.size, point.size), math.nan)
    if math.isfinite(promise):
        covariance[np.ix_(~bound, ~bound)] = np.linalg.inv(information)
    return Optimum(point, value, covariance, bound, promise)


def fitted(
    method: str,
    names: Sequence[str],
    found: Optimum,
    n: float,
    scale: Array | None = None,
    shift: float = 0.0,
) -> Fit:
    """An optimum as the fit of a model with positive parameters.

    Standard errors are those of the logarithms times the value (delta method); intervals are
    symmetric in the logarithm (95 %, Wald).

    Args:
        method: The model.
        names: Its parameters, k of them.
        found: Their logarithms' optimum.
        n: What was counted.
        scale: What each parameter is multiplied by to be in the caller's units, shape (k,); as
            they are without.
        shift: What the log-likelihood gains by that.
    """
    values = np.exp(found.point) * (1.0 if scale is None else scale)
    errors = np.sqrt(np.diag(found.covariance))
    # The interval of what is hardly determined reaches to infinity.
    with np.errstate(over="ignore"):
        width = np.exp(normal_quantile(LEVEL) * errors)
    parameters = tuple(
        Parameter(name, float(value), float(value * error), float(value / w), float(value * w))
        for name, value, error, w in zip(names, values, errors, width, strict=True)
    )
    bound = [name for name, is_bound in zip(names, found.is_bound, strict=True) if is_bound]
    return Fit(
        method=method,
        reason=f"{' and '.join(bound)} at the end of the range searched" if bound else "",
        parameters=parameters,
        covariance=found.covariance * np.outer(values, values),
        log_likelihood=found.log_likelihood + shift,
        n=n,
        converged=found.converged,
    )


def quantity_interval(
    fit: Fit, quantity: Callable[[Fit], float], level: float = LEVEL
) -> Parameter:
    """A positive number computed from a fit, with its interval (delta method).

    The interval is symmetric in the logarithm and holds what the uncertainty of the parameters
    does to the number: not that of the future itself, and not that the model may be wrong. A
    parameter at the end of the range searched counts as known.

    Args:
        fit: The fit.
        quantity: The number as a function of the fit; must be positive.
        level: Share of samples whose interval should cover the truth.

    Returns:
        The number, its standard error and its limits; NaN limits when the fit has no covariance.
    """
    value = quantity(fit)
    slopes = []
    for index, parameter in enumerate(fit.parameters):
        step = DIFFERENCE * parameter.value
        ahead, behind = (quantity(_moved(fit, index, sign * step)) for sign in (1, -1))
        slopes.append((ahead - behind) / (2 * step))
    if np.isnan(fit.covariance).all():
        return Parameter(quantity.__name__, value)
    gradient = np.array(slopes)
    error = math.sqrt(gradient @ np.nan_to_num(fit.covariance) @ gradient)
    width = math.exp(normal_quantile(level) * error / value)
    return Parameter(quantity.__name__, value, error, value / width, value * width)


def _moved(fit: Fit, index: int, step: float) -> Fit:
    parameters = list(fit.parameters)
    parameters[index] = replace(parameters[index], value=parameters[index].value + step)
    return replace(fit, parameters=tuple(parameters))


def _on_bound(point: Array, gradient: Array, low: float, high: float) -> Mask:
    # Only a parameter that would go on if it could; one that points back is free.
    return ((point <= low + 1e-6) & (gradient <= 0)) | ((point >= high - 1e-6) & (gradient >= 0))


def _information(objective: Objective, point: Array, free: Mask) -> Array:
    """Negative Hessian of the free parameters by central differences of the gradient."""
    columns = []
    for index in np.flatnonzero(free):
        step = np.zeros(point.size)
        step[index] = DIFFERENCE
        ahead, behind = objective(point + step)[1], objective(point - step)[1]
        columns.append((behind - ahead)[free] / (2 * DIFFERENCE))
    matrix = np.array(columns).reshape(len(columns), len(columns))
    return np.asarray((matrix + matrix.T) / 2, dtype=np.float64)


def _newton_step(information: Array, gradient: Array) -> tuple[Array, float]:
    """The step to the maximum of the local parabola, and what it promises."""
    if not gradient.size:
        return gradient, 0.0
    values, vectors = np.linalg.eigh(information)
    along = vectors.T @ gradient
    steepest = float(np.abs(values).max())
    if values[0] <= 1e-12 * steepest:
        # Not a hill, so no maximum: go up along its flanks as far as their bend allows.
        return vectors @ (along / np.maximum(np.abs(values), 1e-6 * steepest + 1e-300)), math.inf
    return vectors @ (along / values), float(np.sum(along**2 / values))


def _climbed(
    objective: Objective,
    point: Array,
    value: float,
    step: Array,
    free: Mask,
    limits: tuple[float, float],
) -> tuple[Array, float, Array] | None:
    """The point after the longest half of a half … of the step that climbs, or None."""
    for halvings in range(12):
        tried = point.copy()
        tried[free] = np.clip(tried[free] + step * 0.5**halvings, *limits)
        reached, gradient = objective(tried)
        if reached > value:
            return tried, reached, gradient
    return None
