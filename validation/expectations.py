"""Great Expectations' expectations, untyped: the package does not declare what it exports."""

from typing import Any

import great_expectations.expectations as _expectations

gxe: Any = _expectations
