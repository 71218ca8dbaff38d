"""What a person may accept although the gate refuses it, and how that is recorded.

Holds which suites compare a refresh with the past: a site that was down for a day, or a ledger
that was really corrected, is odd and true. Identities, reconciliation, identifiers and what could
not be judged are never accepted.
"""

from dataclasses import replace

from quality.gate import CheckResult, Verdict
from quality.landing import volume_name

COMPARES_VERSIONS = "last_version"
COMPARES_DAYS = volume_name("")
ROW_COUNT = "row_count"


def accept(verdict: Verdict, why: str) -> Verdict:
    """The verdict with its refused comparisons as warnings that say who took them for true.

    Args:
        verdict: What the gate said.
        why: The reason a person gave; it is recorded with each check.
    """
    accepted = {id(r) for r in verdict.results if _may_be_accepted(r)}
    results = tuple(_accepted(r, why) if id(r) in accepted else r for r in verdict.results)
    refusing = [r for r in verdict.results if not r.is_passed and r.severity == "critical"]
    # The refusals stand in the order of the results that refuse.
    refusals = tuple(
        refusal
        for result, refusal in zip(refusing, verdict.refusals, strict=True)
        if id(result) not in accepted
    )
    return Verdict(verdict.stage, results, refusals)


def _may_be_accepted(result: CheckResult) -> bool:
    compares = result.suite == COMPARES_VERSIONS or result.suite.startswith(COMPARES_DAYS)
    # Nothing to compare is no comparison: that the rows are there is never accepted away.
    is_comparison = compares and result.check_name != ROW_COUNT
    return is_comparison and not result.is_passed and result.error is None


def _accepted(result: CheckResult, why: str) -> CheckResult:
    return replace(result, severity="warning", reason=f"{result.reason} Accepted: {why}")
