"""The ingest benchmark on a small table."""

from tests.benchmarks.bench_ingest import bench


def test_the_benchmark_reports_ratio_and_memory_of_both_formats() -> None:
    figures = bench(num_rows=200)
    assert figures["n"] == 200
    assert set(figures["formats"]) == {"fer2013.csv", "fer2013.csv.gz"}
    for one in figures["formats"].values():
        assert one["ratio"] > 0
        assert 0.05 < one["peak_gib"] < 1.5
