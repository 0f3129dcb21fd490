"""facex: `EmotionClassifier.detect_emotion` for every crop, by TensorFlow Lite.

As in `EmotionClassifier.predict` it gets the grey crop, which it resizes to 200 x 200 by
`skimage.transform.resize`.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from protocol import Loaded, answer


def load(options: Sequence[str]) -> Loaded:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import facex.core

    assets = Path(facex.core.__file__).parent / "assets"
    classifier = facex.core.EmotionClassifier(str(assets / "model_optimized.tflite"))
    names = classifier.category

    def predict(images: np.ndarray) -> np.ndarray:
        answers = [classifier.detect_emotion(image) for image in images]
        return np.array([[one[name] for name in names] for one in answers])

    return Loaded(predict, names, 0)


if __name__ == "__main__":
    answer(load)
