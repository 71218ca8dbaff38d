"""Churn of the telecom's customers: what the score is worth on real rows it has not seen.

The table is one snapshot, tenure and whether the customer left in the last month: there is no
later period to judge on. So a fifth of the customers, chosen by a hash of their ids, is held out.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from orchestration.estimators import holdout, logistic
from orchestration.estimators.holdout import Quality
from tests.estimators import real

Customer = Mapping[str, str]
SERVICES = ("OnlineSecurity", "TechSupport", "StreamingTV", "StreamingMovies", "MultipleLines")


def is_held_out(customer: Customer) -> bool:
    """Three of sixteen, whatever the order of the file."""
    return hashlib.sha256(customer["customerID"].encode()).hexdigest()[0] in "012"


def contract(customer: Customer) -> list[float]:
    """What a publisher knows of every subscription, too: tenure, price and commitment."""
    return [
        np.log1p(float(customer["tenure"])),
        np.log1p(float(customer["MonthlyCharges"])),
        customer["Contract"] == "One year",
        customer["Contract"] == "Two year",
    ]


def everything(customer: Customer) -> list[float]:
    """With the services and the means of payment."""
    return [
        *contract(customer),
        float(customer["tenure"]),
        customer["InternetService"] == "Fiber optic",
        customer["InternetService"] == "No",
        customer["PaymentMethod"] == "Electronic check",
        customer["PaperlessBilling"] == "Yes",
        customer["SeniorCitizen"] == "1",
        *(customer[service] == "Yes" for service in SERVICES),
    ]


def held_out(data: Path, known: Callable[[Customer], list[float]]) -> Quality:
    """What the score of the other customers says of those held out."""
    customers = real.telco(data)
    x = np.array([known(each) for each in customers], dtype=np.float64)
    churned = np.array([each["Churn"] == "Yes" for each in customers], dtype=np.float64)
    out = np.array([is_held_out(each) for each in customers])
    score = logistic.fit([f"x{n}" for n in range(x.shape[1])], x[~out], churned[~out])
    assert score.converged
    return holdout.quality(
        logistic.probability(score, x[out]), churned[out], float(churned[~out].mean())
    )


def test_tenure_price_and_contract_rank_the_telecoms_customers_held_out(real_data: Path) -> None:
    # Logistic regressions of this table commonly come to an AUC of some .84. With 326 of 1,310 held
    # out who left, the standard error of one is .0144 (Hanley & McNeil 1982): two to either side.
    found = held_out(real_data, contract)
    assert (found.n, found.churned) == (1310, 326)
    assert 0.811 < found.auc < 0.869
    # Of the Brier score of saying 26.5 % of everybody, .265·.735 = .195, a fifth and more is gone.
    assert found.brier < 0.195 * 0.8
    assert found.brier_skill > 0.2
    assert 0.85 < found.calibration_slope < 1.25


def test_what_else_is_known_of_the_telecoms_customers_ranks_them_better(real_data: Path) -> None:
    few, many = held_out(real_data, contract), held_out(real_data, everything)
    assert few.auc < many.auc < 0.88
    assert many.brier < few.brier
