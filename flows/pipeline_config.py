"""The configuration of a run, composed of the configurations of its parts.

The defaults are the `demo` recipe: synthetic faces, small budgets, two CPU cores.
"""

from typing import Self

from pydantic import Field, model_validator

from fer_models.base_config import FrozenConfig
from fer_models.batch.config import PredictionConfig
from fer_models.cleaning.config import CleaningConfig
from fer_models.dataset.config import SplittingConfig
from fer_models.ensembling.config import EnsembleConfig
from fer_models.evaluation.config import EvaluationConfig
from fer_models.ingest.config import DataConfig
from fer_models.models.config import NetworkConfig
from fer_models.models.names import shipped_teachers
from fer_models.promotion.config import PromotionConfig, RetrainingConfig
from fer_models.quality.config import ScoringConfig
from fer_models.reporting.model_card.config import ModelCardConfig
from fer_models.storage.config import StoreConfig
from fer_models.storage.upkeep.config import RetentionConfig
from fer_models.tracking.config import TrackingConfig
from fer_models.training.config import BUNDLED, FinalFitConfig, MemberConfig, TrainingConfig
from fer_models.tuning.config import TuningConfig
from validation.config import ValidationConfig

DEMO_MEMBERS = (
    MemberConfig(name="compact_cnn"),
    MemberConfig(
        name="scratch_cnn",
        network=NetworkConfig(name="scratch_cnn"),
        training=TrainingConfig(epochs=5, learning_rate=1e-3),
    ),
    MemberConfig(
        name="resnet10t",
        network=NetworkConfig(name="resnet10t"),
        training=TrainingConfig(epochs=3),
    ),
)


class PipelineConfig(FrozenConfig):
    """Everything a run depends on."""

    name: str = Field(
        default="demo", min_length=1, description="Name of the recipe, shown in the report."
    )
    seed: int = Field(default=0, ge=0, description="Random seed.")
    store: StoreConfig = Field(default=StoreConfig(), description="Artifact store.")
    data: DataConfig = Field(default=DataConfig(), description="Sources of the images.")
    validation: ValidationConfig = Field(
        default=ValidationConfig(), description="Thresholds of the data gate."
    )
    scoring: ScoringConfig = Field(
        default=ScoringConfig(), description="Label scores used by cleaning."
    )
    cleaning: CleaningConfig = Field(default=CleaningConfig(), description="Quarantine rules.")
    splitting: SplittingConfig = Field(
        default=SplittingConfig(), description="Split into train, validation and test."
    )
    tuning: TuningConfig = Field(default=TuningConfig(), description="Hyper-parameter search.")
    members: tuple[MemberConfig, ...] = Field(
        default=DEMO_MEMBERS, min_length=1, description="Networks to train."
    )
    evaluation: EvaluationConfig = Field(default=EvaluationConfig(), description="Metrics.")
    ensemble: EnsembleConfig = Field(default=EnsembleConfig(), description="Ensembles to build.")
    promotion: PromotionConfig = Field(default=PromotionConfig(), description="Promotion gate.")
    final_fit: FinalFitConfig = Field(
        default=FinalFitConfig(),
        description="Training of a promoted candidate on training and validation images.",
    )
    retraining: RetrainingConfig = Field(
        default=RetrainingConfig(), description="Conditions for retraining."
    )
    prediction: PredictionConfig = Field(
        default=PredictionConfig(), description="Batch prediction of new pictures."
    )
    retention: RetentionConfig = Field(
        default=RetentionConfig(), description="What the deployment house-keeping keeps."
    )
    model_card: ModelCardConfig = Field(
        default=ModelCardConfig(), description="Texts of the candidate's model card."
    )
    tracking: TrackingConfig = Field(
        default=TrackingConfig(), description="Experiment tracking (wandb)."
    )

    @model_validator(mode="after")
    def _check_members(self) -> Self:
        names = [member.name for member in self.members]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"member names must be unique; repeated: {', '.join(repeated)}")
        if self.tuning.enabled and self.tuning.member not in names:
            raise ValueError(
                f"tuning.member {self.tuning.member!r}: expected one of {', '.join(names)}; "
                "or set tuning.enabled=false"
            )
        problems = _teacher_problems(self.members)
        if self.tuning.enabled and self.member(self.tuning.member).teachers:
            problems.append(
                f"tuning.member {self.tuning.member!r} has teachers, but trials train without any; "
                "choose another member, or set tuning.enabled=false"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def scores_labels(self) -> bool:
        """Whether label scores are needed."""
        return self.scoring.enabled and self.cleaning.policy != "off"

    def member(self, name: str) -> MemberConfig:
        """The member of that name, which must exist."""
        return next(member for member in self.members if member.name == name)


def _teacher_problems(members: tuple[MemberConfig, ...]) -> list[str]:
    """Teachers are trained first, so they must be listed before their student."""
    problems = []
    for number, member in enumerate(members):
        earlier = [other.name for other in members[:number]]
        shipped = [f"{BUNDLED}{name}" for name in shipped_teachers()]
        invalid = [name for name in member.teachers if name not in (*earlier, *shipped)]
        if invalid:
            problems.append(
                f"teachers of {member.name}: expected members listed before it "
                f"({', '.join(earlier) or 'none'}) or {', '.join(shipped)}, got "
                f"{', '.join(invalid)}"
            )
        problems += _fold_problems(member, members[:number])
    return problems


def _fold_problems(member: MemberConfig, earlier: tuple[MemberConfig, ...]) -> list[str]:
    """A fold is taught by the teachers' networks for the same fold, so these must exist."""
    folds = member.out_of_fold.folds
    return [
        f"{member.name} has {folds} folds, its teacher {teacher.name} {teacher.out_of_fold.folds}: "
        f"expected the same number; set members.{teacher.name}.out_of_fold.folds={folds}, or "
        f"members.{member.name}.out_of_fold.folds=0"
        for teacher in earlier
        if folds and teacher.name in member.teachers and teacher.out_of_fold.folds != folds
    ]
