"""facial-emotion-recognition: the network of `EmotionRecognition._predict` for every crop.

`_predict` returns the name of the class alone; its transform, network and exponential are called
here. The checkpoint was stored on a GPU and `EmotionRecognition` can't load it without one, so
`torch.load` is told to put it on the processor.
"""

import functools
from collections.abc import Sequence

import numpy as np
from protocol import Loaded, answer


def load(options: Sequence[str]) -> Loaded:
    import torch

    torch.load = functools.partial(torch.load, map_location="cpu")
    from facial_emotion_recognition import EmotionRecognition

    recognition = EmotionRecognition(device="cpu")
    network, transform = recognition.network, recognition.transform

    @torch.no_grad()
    def predict(images: np.ndarray) -> np.ndarray:
        answers = [network(transform(image).unsqueeze(0)) for image in images]
        return torch.exp(torch.cat(answers)).numpy()

    names = [recognition.emotions[number] for number in sorted(recognition.emotions)]
    return Loaded(predict, names, sum(one.numel() for one in network.parameters()))


if __name__ == "__main__":
    answer(load)
