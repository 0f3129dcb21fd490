"""How one network is trained."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fer_models.base_config import FrozenConfig
from fer_models.models.config import NetworkConfig

TTA = Literal["none", "flip", "ten_crop", "affine"]


class AugmentConfig(FrozenConfig):
    """Random changes to training images, drawn anew for every image and epoch."""

    flip: bool = Field(default=True, description="Mirror left-right with probability one half.")
    rotate_deg: float = Field(default=10.0, ge=0, le=90, description="Largest turn, degrees.")
    shift: float = Field(
        default=0.08, ge=0, le=0.5, description="Largest shift, as a share of the image's side."
    )
    scale: float = Field(
        default=0.1, ge=0, lt=1, description="Largest change of size: 0.1 means 0.9 to 1.1 times."
    )
    brightness: float = Field(
        default=0.2, ge=0, lt=1, description="Largest change of brightness, share of full scale."
    )
    contrast: float = Field(
        default=0.2, ge=0, lt=1, description="Largest change of contrast: 0.2 is 0.8 to 1.2 times."
    )
    erase: float = Field(
        default=0.0, ge=0, le=1, description="Probability that a random box is greyed out."
    )
    mixup: float = Field(
        default=0.0,
        ge=0,
        le=10,
        description="Images are blended in pairs with shares from Beta(mixup, mixup); 0: never.",
    )
    cutmix: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Probability that a batch gets boxes of other images instead (and their label "
        "by area).",
    )


class TrainingConfig(FrozenConfig):
    """Optimiser, schedule and budget."""

    epochs: int = Field(default=8, ge=1, le=10_000, description="Passes over the training split.")
    batch_size: int = Field(
        default=64, ge=1, le=65_536, description="Images a step, of all workers together."
    )
    accumulate: int = Field(
        default=1,
        ge=1,
        le=4096,
        description="Batches whose gradients make one step: large batches in little memory.",
    )
    optimizer: Literal["adamw", "sgd", "muon"] = Field(
        default="adamw",
        description="sgd has Nesterov momentum; muon makes the updates of convolution kernels "
        "orthogonal and leaves the other weights to adamw.",
    )
    learning_rate: float = Field(default=6e-3, gt=0, le=10, description="Peak of the schedule.")
    other_learning_rate: float = Field(
        default=3e-3, gt=0, le=10, description="Peak for the weights that muon leaves to adamw."
    )
    momentum: float = Field(
        default=0.9, ge=0, lt=1, description="Of sgd and of muon's kernels; beta 1 of adamw."
    )
    weight_decay: float = Field(
        default=0.02, ge=0, le=1, description="Decoupled for adamw; muon's kernels need none."
    )
    label_smoothing: float = Field(
        default=0.05, ge=0, lt=1, description="Probability mass spread over the other classes."
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(
        default="cosine", description="How the learning rate falls after its peak."
    )
    warmup_fraction: float = Field(
        default=0.25, gt=0, lt=1, description="Share of the steps until the peak learning rate."
    )
    gradient_clip: float = Field(
        default=1.0, ge=0, description="Largest gradient norm; 0 switches clipping off."
    )
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = Field(
        default="auto", description="auto: bf16-mixed where the processor has it, else 32-true."
    )
    vote_weight: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of the FER+ votes in the target; the rest is the label. Images without "
        "votes keep their label.",
    )
    auxiliary_head_weight: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="Weight in the loss of a second head that foretells all ten FER+ votes and is "
        "dropped after the training; images without votes leave it out. 0: no such head.",
    )
    teacher_weight: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of the teachers' mean opinion in the target, where the member has any.",
    )
    class_weighting: Literal["none", "loss", "sampling"] = Field(
        default="none",
        description="Rare classes count more in the loss, or are drawn as often as the others.",
    )
    ema_decay: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Decay a step of the moving average of the weights that is validated and "
        "kept; 0 switches it off.",
    )
    patience: int = Field(
        default=0,
        ge=0,
        description="Epochs without a better validation accuracy after which training stops; "
        "0 trains to the end.",
    )
    frozen_epochs: int = Field(
        default=0,
        ge=0,
        description="First epochs in which only the classifier learns (fine-tuning).",
    )
    start_size_px: int = Field(
        default=0,
        ge=0,
        le=512,
        description="Side of the training images in the first epochs, px; it grows to the "
        "network's in steps of 8 px. 0: full size from the start.",
    )
    resizing_fraction: float = Field(
        default=0.7,
        gt=0,
        le=1,
        description="Share of the epochs until training images have their full size.",
    )
    checkpoint_every_s: float = Field(
        default=0.0,
        ge=0,
        le=86_400,
        description="Least seconds between two checkpoints, for epochs that take hardly longer "
        "than writing one; 0 writes it after every epoch, as several workers do in any case.",
    )
    cuda_graph: bool = Field(
        default=False,
        description="On a GPU, the network's passes over full batches are recorded once and "
        "replayed, which spares small networks the launch of every kernel. Without effect on "
        "processors, with several workers, frozen epochs or gradient checkpointing.",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Processor threads; by default OMP_NUM_THREADS, else one less than the cores.",
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="Processes that share every batch, on Ray Train; with 1 Ray is not used. Each "
        "gets a GPU where the cluster has any.",
    )
    min_workers: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Workers to go on with where lost ones find no room again; by default all, "
        "which gives the same weights as without a loss.",
    )
    cpus_per_worker: float = Field(
        default=1.0,
        gt=0,
        le=1024,
        description="Processor cores that Ray sets aside for a worker; a share such as 0.5 lets "
        "two workers run on one core.",
    )
    worker_losses: int = Field(
        default=3,
        ge=0,
        le=1000,
        description="Times that lost workers are replaced and training goes on from the last "
        "epoch.",
    )
    augment: AugmentConfig = Field(default=AugmentConfig(), description="Training-image changes.")

    @model_validator(mode="after")
    def _no_more_than_all(self) -> Self:
        if self.min_workers is not None and self.min_workers > self.workers:
            raise ValueError(
                f"min_workers: expected at most workers={self.workers}, got {self.min_workers}"
            )
        return self


class MemberConfig(FrozenConfig):
    """One network to train: a member of the later ensemble."""

    name: str = Field(
        min_length=1,
        max_length=60,
        pattern=r"^[a-z0-9][a-z0-9_.-]*$",
        description="Unique within the run; part of the model's id.",
    )
    network: NetworkConfig = Field(default=NetworkConfig(), description="The network.")
    training: TrainingConfig = Field(default=TrainingConfig(), description="Its training.")
    teachers: tuple[str, ...] = Field(
        default=(),
        description="Members before this one whose opinion of the training images is a part of its "
        "target (knowledge distillation), see training.teacher_weight.",
    )
    seed_offset: int = Field(
        default=0,
        ge=0,
        description="Added to the run's seed: twins of one network draw other numbers.",
    )
    tta: TTA = Field(
        default="none",
        description="Views whose mean predicts an image: itself; and its mirror image; or those of "
        "five crops, 2 px apart; or of these and four small turns and zooms.",
    )
