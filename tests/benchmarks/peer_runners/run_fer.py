"""fer: the emotion network of `fer.fer.FER`, by keras or (option `tflite`) TensorFlow Lite.

The crop is the face box. As in `FER.detect_emotions` it is resized to 64 x 64 by `cv2.resize`,
scaled to -1..1 and given to `FER._classify_emotions`; `detect_emotions` itself rounds probabilities
to two digits. Option `padded`: with the margin of 10 px that `detect_emotions` adds around a box.
"""

import os
from collections.abc import Sequence

import numpy as np
from protocol import Loaded, answer, in_batches

_SIDE_PX = 64
_MARGIN_PX = 10
_BATCH = 256


def load(options: Sequence[str]) -> Loaded:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import cv2
    from fer.fer import FER, PADDING

    is_lite, is_padded = "tflite" in options, "padded" in options
    recognizer = FER(use_tflite=is_lite)

    def prepared(image: np.ndarray) -> np.ndarray:
        if is_padded:
            inner = PADDING - _MARGIN_PX
            image = FER.pad(image)[inner:-inner, inner:-inner]
        return cv2.resize(image, (_SIDE_PX, _SIDE_PX))

    def predict_batch(images: np.ndarray) -> np.ndarray:
        faces = np.array([prepared(image) for image in images], dtype="float32")
        faces = (faces / 255.0 - 0.5) * 2.0
        # The TensorFlow Lite branch of the package adds the channel itself.
        return np.asarray(recognizer._classify_emotions(faces if is_lite else faces[..., None]))

    names = FER._get_labels()
    return Loaded(
        lambda images: in_batches(images, _BATCH, predict_batch),
        [names[number] for number in sorted(names)],
        0 if is_lite else FER._model_cache.count_params(),
    )


if __name__ == "__main__":
    answer(load)
