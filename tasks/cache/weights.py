"""The shipped and pretrained weights of a training, as part of its cache key."""

from collections.abc import Mapping
from typing import Any


def weights_fingerprint(parameters: Mapping[str, Any]) -> str:
    """Fingerprint of pretrained weights and shipped teachers: a name may mean others later."""
    member = parameters["member"]
    if not member.network.pretrained and not member.bundled_teachers:
        return "random"
    from fer_models.models.pretrained.shipped import teacher_fingerprint
    from fer_models.models.pretrained.start import pretrained_fingerprint

    teachers = [teacher_fingerprint(name) for name in member.bundled_teachers]
    return " ".join([str(pretrained_fingerprint(member.network)), *teachers])
