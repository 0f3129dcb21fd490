"""Views and combinations in the graph, compared with torch and numpy."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_models.combination.rules import MajorityRule, MeanRule, Rule, StackingRule
from fer_models.combination.stored import Combination
from fer_models.onnx_files.rules_graph import combined
from fer_models.onnx_files.views_graph import stacked_views
from fer_models.training.inputs.tta import NUM_VIEWS, tta_views
from tests.fer_models.onnx_files.graphs import runner


@pytest.mark.parametrize("tta", list(NUM_VIEWS))
@pytest.mark.parametrize("asked", [1, 2, 10, 18])
def test_views_are_the_first_of_torch_s(tta: str, asked: int, tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((3, 1, 24, 24), dtype=np.float32)
    run = runner(
        tmp_path,
        {"images": "float32", "views": "int64"},
        lambda graph, values: stacked_views(graph, values["images"], tta, 24, values["views"]),
    )
    found = run(images=images, views=np.array([asked]))
    views = torch.stack(list(tta_views(torch.from_numpy(images), tta))).numpy()
    assert len(views) == NUM_VIEWS[tta]
    np.testing.assert_allclose(found, views[:asked], atol=1e-5)


M, K = 3, 4
RULES: list[Rule] = [
    MeanRule(weights=(0.5, 0.2, 0.3)),
    MajorityRule(num_members=M),
    StackingRule(
        coefficients=np.random.default_rng(1).normal(size=(K, M, K)).tolist(),
        intercepts=(0.1, -0.2, 0.3, 0.0),
    ),
]


@pytest.mark.parametrize("temperature", [1.0, 0.6, 1.7])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_rules_combine_as_in_numpy(rule: Rule, temperature: float, tmp_path: Path) -> None:
    combination = Combination(method="any", rule=rule, temperature=temperature)
    names = [f"member{number}" for number in range(M)]
    run = runner(
        tmp_path,
        dict.fromkeys(names, "float32"),
        lambda graph, values: combined(graph, [values[name] for name in names], combination, K),
    )

    @settings(max_examples=25)
    @given(st.integers(0, 2**31), st.floats(0.05, 20))
    def check(seed: int, sharpness: float) -> None:
        logits = np.random.default_rng(seed).normal(size=(M, 6, K)) * sharpness
        exponents = np.exp(logits - logits.max(axis=2, keepdims=True))
        probs_MNK = (exponents / exponents.sum(axis=2, keepdims=True)).astype(np.float32)
        found = run(**dict(zip(names, probs_MNK, strict=True)))
        np.testing.assert_allclose(found, combination.predict(probs_MNK), atol=1e-4)

    check()
