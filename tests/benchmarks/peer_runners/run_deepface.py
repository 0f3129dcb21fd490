"""deepface: its emotion network, called as `DeepFace.analyze(..., detector_backend="skip")` does.

Grey crops become three equal channels; the client makes them grey again and resizes to 48 x 48,
which changes nothing.
"""

from collections.abc import Sequence

import numpy as np
from protocol import Loaded, answer, as_colour, in_batches

_BATCH = 64


def load(options: Sequence[str]) -> Loaded:
    from deepface.commons import folder_utils
    from deepface.models.demography import DemographyUtils
    from deepface.models.demography.onnx.Emotion import EmotionClient

    folder_utils.initialize_folder()
    client = EmotionClient()

    def predict_batch(images: np.ndarray) -> np.ndarray:
        # 0..255: `analyze` multiplies the faces of its detectors by 255 before the client.
        probs = client.predict(np.stack([as_colour(image) for image in images]))
        return probs / probs.sum(axis=1, keepdims=True)

    return Loaded(
        lambda images: in_batches(images, _BATCH, predict_batch), DemographyUtils.EMOTION_LABELS, 0
    )


if __name__ == "__main__":
    answer(load)
