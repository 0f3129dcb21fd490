"""rmn: `RMN(face_detector=False).detect_emotion_for_single_face_image` for every crop.

The package makes three channels of it and resizes to 224 x 224 by `cv2.resize`. Its import loads
the checkpoint, and the face detector that is not used here.
"""

from collections.abc import Sequence

import numpy as np
from protocol import Loaded, answer


def load(options: Sequence[str]) -> Loaded:
    import rmn

    network = rmn.RMN(face_detector=False)
    names = [rmn.FER_2013_EMO_DICT[number] for number in sorted(rmn.FER_2013_EMO_DICT)]

    def predict(images: np.ndarray) -> np.ndarray:
        answers = [network.detect_emotion_for_single_face_image(image)[2] for image in images]
        return np.array([[next(iter(one.values())) for one in row] for row in answers])

    return Loaded(predict, names, sum(one.numel() for one in network.emo_model.parameters()))


if __name__ == "__main__":
    answer(load)
