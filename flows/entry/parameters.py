"""The short parameters of all deployed flows, as Prefect's UI shows them in a form."""

from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

from pydantic import Field
from pydantic.fields import FieldInfo

from flows.request import DEFAULT_RECIPE

Recipe = Annotated[
    str,
    Field(
        title="Recipe",
        min_length=1,
        description="How to clean, train and evaluate. A built-in recipe (demo, fer2013, "
        "seed-baselines, ...) or one saved with 'ferflow recipes save'; without a form also the "
        "path of a YAML file.",
        examples=["fer2013"],
    ),
]
Data = Annotated[
    tuple[str, ...],
    Field(
        title="Data",
        description="Files, folders or archives of labelled faces on the machine that runs the "
        "flow, or s3:// URLs; several are joined in order. Empty: those of the recipe.",
        examples=[["/data/fer2013.csv"]],
    ),
]
Store = Annotated[
    str,
    Field(
        title="Store",
        description="Artifact store: a folder or s3://bucket/prefix. Empty: the environment "
        "variable FERFLOW_STORE, else .ferflow/store.",
        examples=["s3://bucket/prefix"],
    ),
]
Seed = Annotated[
    int | None,
    Field(
        title="Seed",
        ge=0,
        description="Random seed, 0 or more. Not set: that of the recipe.",
        examples=[1],
    ),
]
RunName = Annotated[
    str,
    Field(
        title="Run name",
        max_length=120,
        description="Name of the run. Empty: recipe, data and date.",
        examples=["wider network"],
    ),
]
Overrides = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[^=]+=")], ...],
    Field(
        title="Overrides",
        description="Changed settings, each as path.to.field=value, like --set of the command "
        "line; 'ferflow recipes show NAME' shows all paths.",
        examples=[["members.0.training.epochs=3"]],
    ),
]
Force = Annotated[
    bool,
    Field(title="Force", description="Retrain even if no criterion asks for it.", examples=[True]),
]

Pictures = Annotated[
    tuple[str, ...],
    Field(
        title="Pictures",
        description="Pictures and folders of pictures on the machine that runs the flow, or s3:// "
        "URLs. Empty: those of the recipe (prediction.pictures).",
        examples=[["s3://bucket/incoming"]],
    ),
]
Model = Annotated[
    str,
    Field(
        title="Model",
        description="champion, the id of a stored model, bundled, or bundled:NAME. Empty: that of "
        "the recipe, by default the champion.",
        examples=["champion"],
    ),
]
Redo = Annotated[
    bool,
    Field(
        title="Redo",
        description="Predict again what only other models have predicted, such as an earlier "
        "champion.",
        examples=[True],
    ),
]


def short_run(
    recipe: Recipe = DEFAULT_RECIPE,
    data: Data = (),
    store: Store = "",
    seed: Seed = None,
    run_name: RunName = "",
    overrides: Overrides = (),
) -> None:
    """The parameters of a run; `flows.request` resolves them."""


def forceable_run(
    recipe: Recipe = DEFAULT_RECIPE,
    data: Data = (),
    store: Store = "",
    seed: Seed = None,
    run_name: RunName = "",
    overrides: Overrides = (),
    force: Force = False,
) -> None:
    """The parameters of a run that happens only if there is a reason, or if it is forced."""


def prediction_run(
    recipe: Recipe = DEFAULT_RECIPE,
    pictures: Pictures = (),
    model: Model = "",
    redo: Redo = False,
    store: Store = "",
    run_name: RunName = "",
    overrides: Overrides = (),
) -> None:
    """The parameters of a run that predicts pictures."""


def documented(parameters: Callable[..., None]) -> str:
    """The `Args:` section of a docstring: Prefect's form shows its texts at the fields."""
    hints: dict[str, Any] = get_type_hints(parameters, include_extras=True)
    hints.pop("return")
    lines = [f"    {name}: {_description(hint)}" for name, hint in hints.items()]
    return "\n".join(["Args:", *lines])


def _description(hint: Any) -> str:
    field = next(item for item in hint.__metadata__ if isinstance(item, FieldInfo))
    example = field.examples[0] if field.examples else ""
    shown = ", ".join(example) if isinstance(example, list) else example
    return f"{field.description} Example: {shown}"
