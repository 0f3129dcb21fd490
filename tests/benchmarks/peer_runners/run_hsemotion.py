"""hsemotion-onnx: `HSEmotionRecognizer(MODEL).predict_multi_emotions(crops, logits=False)`.

Option: the name of the model. Grey crops become three equal channels; the package resizes them to
the input of the network by `cv2.resize`.
"""

from collections.abc import Sequence

import numpy as np
from protocol import Loaded, answer, as_colour, in_batches

_BATCH = 32


def load(options: Sequence[str]) -> Loaded:
    import urllib.request  # noqa: F401 - the package uses it without importing it

    from hsemotion_onnx.facial_emotions import HSEmotionRecognizer

    recognizer = HSEmotionRecognizer(options[0])
    names = [recognizer.idx_to_class[number] for number in sorted(recognizer.idx_to_class)]

    def predict_batch(images: np.ndarray) -> np.ndarray:
        faces = [as_colour(image) for image in images]
        _, scores = recognizer.predict_multi_emotions(faces, logits=False)
        return scores[:, : len(names)]  # two more are valence and arousal

    return Loaded(lambda images: in_batches(images, _BATCH, predict_batch), names, 0)


if __name__ == "__main__":
    answer(load)
