"""The command line that makes an evaluation again from the store."""

import shlex

from fer_models.evaluation.config import EvaluationConfig


def evaluation_command(store_url: str, model_id: str, settings: EvaluationConfig) -> str:
    """The command that computes all metrics of a stored model again and prints them.

    It reads only the store: the model's stored probabilities, its snapshot, and the copies in it.
    The result has the same id as the stored evaluation if it is equal.

    Example:
        evaluation_command(store.url, metrics.model_id, metrics.settings)
        # ferflow task evaluate --model resnet18-1f2e --store s3://bucket/prefix
    """
    parts = ["ferflow", "task", "evaluate", "--model", model_id, "--store", store_url]
    for name, value in settings.model_dump(mode="json", exclude_defaults=True).items():
        parts += ["--set", f"evaluation.{name}={value}"]
    return shlex.join(parts)
