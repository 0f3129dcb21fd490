"""Check a configuration in about a second, before a run exists: sources, networks, settings."""

from collections.abc import Callable

from fer_models.errors import ConfigError, DataError, FerError
from fer_models.models.names import network_problem
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.mode import check_tracking
from flows.pipeline_config import PipelineConfig
from flows.request import RunRequest

FLOWS_WITHOUT_DATA = frozenset(("house-keeping", "predict-batch"))
"""Names of the deployed flows that neither read the sources nor train."""


def checked(
    request: RunRequest, option: str = "overrides", *, reads_data: bool = True
) -> PipelineConfig:
    """Resolve a request and check the result.

    Args:
        request: the short parameters.
        option: what the messages call the overrides.
        reads_data: whether to check the sources, the networks and the settings of the data gate:
            only reading data and training need these. False: the data may be away.

    Raises:
        ConfigError: unknown recipe, setting, value or network; lists all problems.
        DataError: a source does not exist or has no known format; lists all problems.
        StoreError: the store is not supported or can't be read.

    Example:
        config = checked(RunRequest(recipe="fer2013", data=("fer2013.csv",)))
    """
    config = request.resolve(option)
    if reads_data:
        # A run that was asked for elsewhere is not refused for its tracking: it warns.
        check_config(config, tracking=False)
    else:
        ArtifactStore(config.store)  # raises if it is not supported
    return config


def check_config(config: PipelineConfig, *, all_rows: bool = False, tracking: bool = True) -> None:
    """Check that networks, sources, the settings of the data gate and the key of wandb exist.

    Args:
        config: the full configuration.
        all_rows: whether to hash the sources, and to read those with faults in full, so that all
            problems are listed; otherwise no image is read. Sources in buckets are never
            downloaded here: it is only checked that there is something.
        tracking: whether to check that runs can be tracked as the settings ask.

    Raises:
        ConfigError: unknown network, wrong gate settings, no key, or several kinds of problems.
        DataError: only sources are wrong.
    """
    from validation.settings import check_settings

    errors: list[FerError] = []
    checks: tuple[Callable[[], object], ...] = (
        lambda: _check_networks(config),
        lambda: check_settings(ArtifactStore(config.store), config.validation),
        lambda: _check_sources(config, all_rows),
        lambda: check_tracking(config.tracking) if tracking else None,
    )
    for check in checks:
        try:
            check()
        except (ConfigError, DataError) as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ConfigError("invalid input:", [line for error in errors for line in _lines(error)])


def check_pictures(config: PipelineConfig) -> None:
    """Check that the pictures of a prediction are named and exist; none is read.

    Raises:
        ConfigError: none are named.
        DataError: lists all that don't exist.
        StoreError: a bucket can't be used.
    """
    from fer_models.batch.places import check_named, list_places

    check_named(config.prediction)
    list_places(config.prediction.pictures)


def _lines(error: FerError) -> list[str]:
    return list(error.problems) or [error.message]


def _check_networks(config: PipelineConfig) -> None:
    networks = {f"members.{m.name}.network.name": m.network.name for m in config.members}
    if config.scores_labels:
        networks["scoring.network.name"] = config.scoring.network.name
    found = {where: network_problem(name) for where, name in networks.items()}
    problems = [f"{where}: {problem}" for where, problem in found.items() if problem]
    if problems:
        raise ConfigError("unknown network:", problems)


def _check_sources(config: PipelineConfig, all_rows: bool) -> None:
    from fer_models.ingest.files.remote import is_url
    from fer_models.ingest.findings import raise_if_bad
    from fer_models.ingest.ingest import fingerprint_sources
    from fer_models.ingest.locate import locate_sources

    if all_rows and not any(is_url(source) for source in config.data.sources):
        fingerprint_sources(config.data, config.seed)
    else:
        located = locate_sources(config.data.sources, download=False)
        found = [findings for _, findings in located]
        raise_if_bad(found, quarantine_bad_rows=True)
