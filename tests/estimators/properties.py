"""How often a property of an estimator is tried: the same examples in every run."""

from hypothesis import settings

tried = settings(max_examples=40, deadline=None, derandomize=True)
