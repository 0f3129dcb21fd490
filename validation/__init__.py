"""The data gate: Great Expectations suites on a dataset snapshot, and a pass/fail report."""
