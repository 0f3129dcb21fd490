"""The parts of `bench_fer`: the images, who predicts them, scores, what is left, tables, plots."""
