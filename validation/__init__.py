"""The data gate: Great Expectations suites over a dataset snapshot, and their pass/fail report."""
