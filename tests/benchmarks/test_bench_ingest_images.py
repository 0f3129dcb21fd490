"""The benchmark of image files on a few of them."""

from tests.benchmarks.bench_ingest_images import bench


def test_the_benchmark_reports_ratios_of_both_sizes() -> None:
    figures = bench(num_images=40, rounds=1)
    assert figures["n"] == 40
    for size in ("48 px", "224 px"):
        assert figures[size]["ratio"] > 0
        assert figures[size]["decoder_cpu_s"] > 0
        assert figures[size]["floor_cpu_s"] > 0
        assert figures[size]["floor_s"] > 0
        assert figures[size]["ingest_cpu_s"] > 0
