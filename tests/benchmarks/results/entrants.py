"""Who predicts the images: ferflow's models, and the mean of the shipped ones.

N images, K classes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_models.bundles.facts import EnsembleFacts
from fer_models.bundles.shipped import shipped_facts
from fer_models.bundles.speed import SPEEDS, Speed
from fer_models.errors import ConfigError
from fer_models.inference.expression_model import ExpressionModel
from fer_models.inference.open_model import open_model
from fer_models.storage.store import ArtifactStore
from tests.benchmarks.peer_runners.protocol import timed
from tests.benchmarks.results.faces import LabelledFaces

_VIEWS_TEXT = {1: "one view", 2: "mirror image"}
_LEARNED = "FER2013's Training; epoch chosen on PublicTest"
_LEARNED_BOTH = "FER2013's Training and PublicTest, after the epoch was chosen on the latter"


@dataclass(frozen=True)
class Entrant:
    """Somebody's answers to all images, and what they cost.

    Attributes:
        name: in the tables.
        is_peer: whether it is another package.
        probs_NK: probabilities in the order of the data's classes.
        parameters: number of weights; 0: not known.
        views: of each image.
        seconds: for all images, best pass.
        cpu_seconds: processor time of that pass, over all threads.
        called: how.
        learned: what it was trained and chosen on.
    """

    name: str
    is_peer: bool
    probs_NK: npt.NDArray[np.float64]
    parameters: int
    views: int
    seconds: float
    cpu_seconds: float
    called: str
    learned: str

    @property
    def images_per_s(self) -> float:
        """By the clock: other programs on the machine slow it down."""
        return len(self.probs_NK) / self.seconds

    @property
    def images_per_core_s(self) -> float:
        """By processor time, which other programs hardly change."""
        return len(self.probs_NK) / self.cpu_seconds


@dataclass(frozen=True)
class OpenModel:
    """A model of ferflow, opened and checked, before it predicts.

    `views` and `parameters` are 0 if they are not known.
    """

    name: str
    called: str
    model: ExpressionModel
    views: int = 0
    parameters: int = 0
    learned: str = ""

    def predict(self, faces: LabelledFaces) -> Entrant:
        """Its answers, and what they cost."""
        result = timed(self.model.predict, faces.images)
        order = [self.model.classes.index(name) for name in faces.classes.names]
        return Entrant(
            name=self.name,
            is_peer=False,
            probs_NK=result.probs[:, order].astype(np.float64),
            parameters=self.parameters,
            views=self.views,
            seconds=result.seconds,
            cpu_seconds=result.cpu_seconds,
            called=self.called,
            learned=self.learned,
        )


def left_out(split: str) -> list[str]:
    """The shipped bundles that can't be measured on a split of FER2013.

    Final fits have learned from PublicTest, too.
    """
    if split != "PublicTest":
        return []
    return [name for name, facts in shipped_facts().items() if facts.final_fit_of]


def shipped_entrants(faces: LabelledFaces, speeds: Sequence[Speed] = SPEEDS) -> Iterator[Entrant]:
    """Each shipped bundle at each speed, and the mean of the networks at the same speed.

    The mean is without final fits, whose networks are there already.
    """
    facts = shipped_facts()
    without = left_out(faces.split)
    names = [name for name in facts if name not in without]
    for speed in speeds:
        networks = []
        for name in names:
            is_ensemble = isinstance(facts[name], EnsembleFacts)
            is_final = bool(facts[name].final_fit_of)
            learned = _LEARNED_BOTH if is_final else _LEARNED
            views, model = facts[name].speeds[speed].views, f"bundled:{name}"
            opened = OpenModel(
                f"{name}, {_views_text(views)}",
                _called(model, speed),
                open_model(model, speed=speed),
                views,
                _parameters(name),
                learned + (", and so were weights and temperature" if is_ensemble else ""),
            )
            entrant = opened.predict(faces)
            networks += [] if is_ensemble or is_final else [entrant]
            yield entrant
        if len(networks) > 1:
            yield mean_of(networks)


def open_named(
    name: str, faces: LabelledFaces, speed: Speed, store: ArtifactStore | None
) -> OpenModel:
    """Any model that `ferflow predict --model` offers.

    Raises:
        StoreError: there is no such model, or it is damaged.
        ConfigError: its classes differ, or it takes other images.
    """
    opened = open_model(name, store, speed)
    if sorted(opened.classes) != sorted(faces.classes.names):
        raise ConfigError(
            f"--model {name}: expected the classes {', '.join(faces.classes.names)}, got "
            f"{', '.join(opened.classes)}; leave it out"
        )
    if opened.image_format.channels != 1 or opened.image_format.size_px != faces.images.shape[1]:
        raise ConfigError(
            f"--model {name}: expected a model of grey images of {faces.images.shape[1]} px, got "
            f"one of {opened.image_format.size_px} px, {opened.image_format.channels} channel(s); "
            "leave it out"
        )
    return OpenModel(f"{name}, {speed}", _called(name, speed), opened)


def mean_of(entrants: Sequence[Entrant]) -> Entrant:
    """The mean of the probabilities; it costs what they cost together."""
    views = entrants[0].views
    number = "both" if len(entrants) == 2 else str(len(entrants))
    return Entrant(
        name=f"mean of {number}, {_views_text(views)}",
        is_peer=False,
        probs_NK=np.mean([one.probs_NK for one in entrants], axis=0),
        parameters=sum(one.parameters for one in entrants),
        views=views,
        seconds=sum(one.seconds for one in entrants),
        cpu_seconds=sum(one.cpu_seconds for one in entrants),
        called="mean of the probabilities of the shipped weights",
        learned=entrants[0].learned,
    )


def _called(model: str, speed: Speed) -> str:
    return f"`open_model({model!r}, speed={speed!r})`"


def _parameters(bundle: str) -> int:
    """Number of weights of a shipped bundle, from its file."""
    from safetensors import safe_open

    from fer_models.bundles.facts import read_facts
    from fer_models.bundles.shipped import bundle_files

    files = bundle_files(bundle)
    parameters = 0
    for weights, _ in files.weights(read_facts(files.facts)):
        with safe_open(str(weights), framework="numpy") as file:
            shapes = {key: file.get_slice(key).get_shape() for key in file.keys()}  # noqa: SIM118
        trained = [shape for key, shape in shapes.items() if not _is_statistic(key)]
        parameters += sum(int(np.prod(shape)) for shape in trained)
    return parameters


def _is_statistic(key: str) -> bool:
    """Running means and variances are no parameters."""
    return key.endswith(("running_mean", "running_var", "num_batches_tracked"))


def _views_text(views: int) -> str:
    return _VIEWS_TEXT.get(views, f"{views} views")
