"""Whether a change of the champion is worth it: better, cheaper, or trained on newer data."""

from fer_models.promotion.config import PromotionConfig
from fer_models.promotion.gate.evidence import ChampionEvidence, ModelCost
from fer_models.promotion.gate.paired import PairedResult, better_criterion, is_not_worse
from fer_models.promotion.gate.row import NOTHING, GateCriterion, count, not_judged

WORTH = "worth a change"
CHEAPER = "cheaper"
NEWER = "newer data"
_UNITS = {"multiply_adds": "multiply-adds", "parameters": "parameters"}


def worth_criteria(
    result: PairedResult, champion: ChampionEvidence, config: PromotionConfig
) -> list[GateCriterion]:
    """The summary first, then its three parts, of which one suffices."""
    better = better_criterion(result, config, WORTH)
    moot = ""
    if better.passed:
        moot = "not needed, it is better"
    elif result.is_worse(config) or not is_not_worse(result, config):
        moot = "it is not as good as the champion, or may not be"
    parts = [better, _cheaper(moot, champion, config), _newer(moot, champion, config)]
    reasons = [part for part in parts if part.passed]
    judged = [part for part in parts if part.judged]
    summary = GateCriterion(
        name=WORTH,
        figure=" and ".join(part.name for part in reasons) or "no reason",
        limit="better, cheaper or trained on newer data",
        passed=bool(reasons),
        text=" and ".join(part.text for part in reasons) or _joined([part.text for part in judged]),
    )
    return [summary, *parts]


def _joined(texts: list[str]) -> str:
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])} and {texts[-1]}"


def _cheaper(moot: str, champion: ChampionEvidence, config: PromotionConfig) -> GateCriterion:
    limit = f"the champion costs at least {config.min_cost_ratio:g} times as much"
    if moot:
        return not_judged(CHEAPER, limit, moot, WORTH)
    candidate_cost, champion_cost = champion.costs()
    unit, ours, theirs = _comparable(candidate_cost, champion_cost, config)
    if not ours or not theirs:
        return not_judged(CHEAPER, limit, "the cost of a model is not known", WORTH)
    ratio = theirs / ours
    passed = ratio >= config.min_cost_ratio
    amounts = f"{count(ours)} {unit} against {count(theirs)}"
    return GateCriterion(
        name=CHEAPER,
        figure=f"{ratio:.3g} times ({amounts})",
        limit=limit,
        passed=passed,
        text=f"{ratio:.3g} times cheaper ({amounts})" if passed else f"not cheaper ({amounts})",
        part_of=WORTH,
        value=ratio,
        bound=config.min_cost_ratio,
    )


def _comparable(
    ours: ModelCost, theirs: ModelCost, config: PromotionConfig
) -> tuple[str, int | None, int | None]:
    if config.cost == "multiply_adds" and ours.multiply_adds and theirs.multiply_adds:
        return _UNITS["multiply_adds"], ours.multiply_adds, theirs.multiply_adds
    return _UNITS["parameters"], ours.parameters, theirs.parameters


def _newer(moot: str, champion: ChampionEvidence, config: PromotionConfig) -> GateCriterion:
    limit = "images or labels changed since the champion's training"
    if moot:
        return not_judged(NEWER, limit, moot, WORTH)
    if not config.prefer_newer:
        return not_judged(NEWER, limit, "switched off (promotion.prefer_newer)", WORTH)
    newer = champion.newer()
    return GateCriterion(
        name=NEWER,
        figure=newer.text if newer.changed else NOTHING,
        limit=limit,
        passed=newer.changed,
        text=newer.text,
        part_of=WORTH,
    )
