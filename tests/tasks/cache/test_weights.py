from fer_models.training.config import MemberConfig
from tasks.cache.weights import weights_fingerprint


def test_random_weights_need_no_folder() -> None:
    assert weights_fingerprint({"member": MemberConfig(name="small")}) == "random"
