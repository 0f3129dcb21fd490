"""Settings of a training: optimiser, schedule, targets, loss, workers."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fer_models.base_config import FrozenConfig
from fer_models.training.settings.augmentation import AugmentConfig


class TrainingConfig(FrozenConfig):
    """How a network is trained: budget, optimiser, schedule, targets, augmentation, workers.

    Example:
        TrainingConfig(epochs=30, batch_size=256, optimizer="muon", learning_rate=0.02)
    """

    epochs: int = Field(default=8, ge=1, le=10_000, description="Passes over the training split.")
    batch_size: int = Field(
        default=64, ge=1, le=65_536, description="Images per batch, over all workers together."
    )
    accumulate: int = Field(
        default=1,
        ge=1,
        le=4096,
        description="Gradient accumulation: batches per optimiser step, for a larger effective "
        "batch in the same memory.",
    )
    optimizer: Literal["adamw", "sgd", "muon"] = Field(
        default="adamw",
        description="sgd uses Nesterov momentum; muon orthogonalises the updates of convolution "
        "kernels and trains all other weights with adamw.",
    )
    learning_rate: float = Field(default=6e-3, gt=0, le=10, description="Peak learning rate.")
    other_learning_rate: float = Field(
        default=3e-3, gt=0, le=10, description="muon only: peak rate of the adamw weights."
    )
    momentum: float = Field(
        default=0.9, ge=0, lt=1, description="Momentum of sgd and muon; beta 1 of adamw."
    )
    weight_decay: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="Weight decay; decoupled for adamw, none on convolution kernels under muon.",
    )
    label_smoothing: float = Field(
        default=0.05, ge=0, lt=1, description="Probability mass spread over all classes."
    )
    loss: Literal["cross_entropy", "focal", "generalized"] = Field(
        default="cross_entropy",
        description="focal weighs images that are already right less (Lin et al. 2017, gamma 2); "
        "generalized cross-entropy weighs images that look mislabelled less (Zhang, Sabuncu 2018, "
        "q 0.7).",
    )
    sharpness_radius: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Sharpness-aware minimisation (SAM, Foret et al. 2021): radius within which "
        "the loss is to be flat, 0.05 is usual; a step costs twice as much. 0: off.",
    )
    schedule: Literal["cosine", "linear", "trapezoid", "constant"] = Field(
        default="cosine",
        description="Decay of the learning rate after the peak; trapezoid stays at the peak before "
        "it decays linearly.",
    )
    decay_fraction: float = Field(
        default=0.3,
        gt=0,
        le=1,
        description="trapezoid only: fraction of the steps spent on the decay.",
    )
    warmup_fraction: float = Field(
        default=0.25, gt=0, lt=1, description="Fraction of the steps spent on linear warm-up."
    )
    gradient_clip: float = Field(
        default=1.0, ge=0, description="Largest gradient norm; 0 disables clipping."
    )
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = Field(
        default="auto", description="auto: bf16-mixed if the hardware has it, else 32-true."
    )
    vote_weight: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Weight of the FER+ votes in the target; the rest is the label. Images without "
        "votes keep their label.",
    )
    auxiliary_head_weight: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="Loss weight of an auxiliary head that predicts the distribution of FER+ votes "
        "and is dropped after training; images without votes add nothing. 0: no auxiliary head.",
    )
    teacher_weight: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Weight of the teachers' mean prediction in the target, if there are teachers.",
    )
    consistent_teachers: bool = Field(
        default=False,
        description="Teachers predict the same augmented images that the network learns from, "
        "mixup included (Beyer et al. 2022), instead of the unaugmented ones once.",
    )
    teacher_copies: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="With consistent_teachers: number of augmented copies of the training images, "
        "used in turn, one per epoch. Teachers predict each copy once; it is mirrored and mixed "
        "anew every time. 0: every epoch has a new copy, which costs the teachers' time.",
    )
    class_weighting: Literal["none", "loss", "sampling"] = Field(
        default="none",
        description="loss: rare classes weigh more in the loss; sampling: all classes are sampled "
        "equally often.",
    )
    ema_decay: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Decay per step of the exponential moving average (EMA) of the weights, which "
        "is validated and kept instead of them; 0: no EMA.",
    )
    half_weights: bool = Field(
        default=False,
        description="Round the kept weights to half precision before anything is measured with "
        "them, so that a weight bundle holds the very network.",
    )
    patience: int = Field(
        default=0,
        ge=0,
        description="Early stopping: epochs without a better validation accuracy; 0: off.",
    )
    frozen_epochs: int = Field(
        default=0,
        ge=0,
        description="Number of first epochs that train only the classifier (fine-tuning).",
    )
    start_size_px: int = Field(
        default=0,
        ge=0,
        le=512,
        description="Progressive resizing: side of the training images in the first epochs, px; it "
        "rises to the network's input size in steps of 8 px. 0: off.",
    )
    resizing_fraction: float = Field(
        default=0.7,
        gt=0,
        le=1,
        description="Fraction of the epochs before training images reach their full size.",
    )
    checkpoint_every_s: float = Field(
        default=0.0,
        ge=0,
        le=86_400,
        description="Minimum seconds between two checkpoints, for epochs about as short as writing "
        "one; 0: after every epoch. Several workers write one after every epoch in any case.",
    )
    cuda_graph: bool = Field(
        default=False,
        description="Capture forward and backward passes of full batches as CUDA graphs, which "
        "saves small networks the launch of every kernel. No effect on a CPU, with several "
        "workers, with accumulated batches, with frozen epochs or with gradient checkpointing.",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="CPU threads; by default OMP_NUM_THREADS, else one less than the cores.",
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="Data-parallel processes on Ray Train, each with a GPU if the cluster has "
        "any; 1: one process, on a cluster a task with the member's placement.",
    )
    min_workers: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Fewest workers to continue with if lost ones can't be replaced; by default "
        "all, which gives the same weights as without a loss.",
    )
    cpus_per_worker: float = Field(
        default=1.0,
        gt=0,
        le=1024,
        description="CPU cores that Ray reserves per worker; 0.5 lets two workers share a core.",
    )
    worker_losses: int = Field(
        default=3,
        ge=0,
        le=1000,
        description="How often lost workers are replaced; training resumes from the last epoch.",
    )
    augment: AugmentConfig = Field(default=AugmentConfig(), description="Augmentation.")

    @model_validator(mode="after")
    def _check_min_workers(self) -> Self:
        if self.min_workers is not None and self.min_workers > self.workers:
            raise ValueError(
                f"min_workers: expected at most workers={self.workers}, got {self.min_workers}"
            )
        return self

    @model_validator(mode="after")
    def _check_sharpness(self) -> Self:
        if self.sharpness_radius and (self.accumulate > 1 or self.precision == "16-mixed"):
            raise ValueError(
                f"sharpness_radius: expected accumulate=1 and precision auto, bf16-mixed or "
                f"32-true, got accumulate={self.accumulate} and precision={self.precision}; set "
                "them so, or sharpness_radius=0"
            )
        return self

    @model_validator(mode="after")
    def _check_teachers(self) -> Self:
        if self.teacher_copies and not self.consistent_teachers:
            raise ValueError(
                f"teacher_copies is {self.teacher_copies}, but consistent_teachers is false, so "
                "there are no copies; set consistent_teachers=true, or teacher_copies=0"
            )
        if self.consistent_teachers and self.workers > 1:
            raise ValueError(
                f"consistent_teachers: expected workers=1, got {self.workers}; set workers=1, or "
                "consistent_teachers=false"
            )
        return self
