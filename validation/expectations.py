"""Great Expectations' expectation classes, untyped: the package does not declare its exports."""

from typing import Any

import great_expectations.expectations as _expectations

gxe: Any = _expectations
