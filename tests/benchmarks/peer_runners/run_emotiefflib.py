"""emotiefflib: `EmotiEffLibRecognizer(engine="onnx").predict_emotions(crops, logits=False)`.

Option: the name of the model. Grey crops become three equal channels; the package resizes them to
the input of the network.
"""

from collections.abc import Sequence

import numpy as np
from protocol import Loaded, answer, as_colour, in_batches

_BATCH = 32


def load(options: Sequence[str]) -> Loaded:
    from emotiefflib.facial_analysis import EmotiEffLibRecognizer

    recognizer = EmotiEffLibRecognizer(engine="onnx", model_name=options[0])
    classes = recognizer.idx_to_emotion_class
    names = [classes[number] for number in sorted(classes)]

    def predict_batch(images: np.ndarray) -> np.ndarray:
        _, scores = recognizer.predict_emotions([as_colour(one) for one in images], logits=False)
        return scores[:, : len(names)]  # two more are valence and arousal

    return Loaded(lambda images: in_batches(images, _BATCH, predict_batch), names, 0)


if __name__ == "__main__":
    answer(load)
