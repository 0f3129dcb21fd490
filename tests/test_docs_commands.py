"""The commands, options and settings that the documents show are those that ferflow has."""

import json
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from deployments.cli import main
from fer_models.campaign.plan import read_plan
from flows.pipeline_config import PipelineConfig
from flows.recipes import load_config
from tests.test_advice import settings_of
from tests.test_docs import PAGES, ROOT

IN_BLOCK = re.compile(r"^ {2,}(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(ferflow .+)$")
IN_FENCE = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(ferflow .+)$")
IN_TEXT = re.compile(r"`(ferflow [^`]+)`")
FENCE = "```"
FILES = (".json", ".md", ".npy", ".parquet", ".py", ".yaml")
PLACEHOLDER = "path.to.field"
ENDS = {"|", "||", "&&", ";", ">", ">>", "<", "...", "&"}

SETTINGS = frozenset(settings_of(PipelineConfig))
OF_MEMBERS = frozenset(
    path.removeprefix("members.") for path in SETTINGS if path.startswith("members.")
)
SECTIONS = {path.partition(".")[0] for path in SETTINGS | OF_MEMBERS if "." in path}


def commands_of(page: Path) -> Iterator[list[str]]:
    """The arguments of each command on a page, after `ferflow`."""
    text = re.sub(r"\\\n\s*", " ", page.read_text("utf-8"))
    in_fence = False
    for line in text.splitlines():
        in_fence ^= line.strip().startswith(FENCE)
        if match := (IN_FENCE if in_fence else IN_BLOCK).match(line):
            yield arguments_of(match[1])
    for command in IN_TEXT.findall(re.sub(r"\s*\n\s*", " ", text)):
        yield arguments_of(command)


def arguments_of(command: str) -> list[str]:
    """The words up to the first that is the shell's."""
    words = shlex.split(command.replace("\u2026", "..."), comments=True)[1:]
    last = next((number for number, word in enumerate(words) if word in ENDS), len(words))
    return [word.rstrip(";") for word in words[:last]]


def parse(arguments: list[str]) -> dict[str, object]:
    """Parse a command without running it.

    An option without its value is a mention of it; `STEP` or `$step` stands for any command.

    Raises:
        click.UsageError: there is no such command or option.
    """
    command: click.Command = main
    context = click.Context(command, info_name="ferflow")
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        name, *rest = arguments
        if name.isupper() or name.startswith("$"):
            return {}
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"there is no command {name}")
        command, arguments = found, rest
        context = click.Context(command, info_name=name, parent=context)
    try:
        values, _, _ = command.make_parser(context).parse_args(list(arguments))
    except click.BadOptionUsage:
        return {}
    return dict(values)


def is_setting(path: str) -> bool:
    """Whether `--set` takes it: members by name or number, or all at once without `members.`."""
    first, _, rest = path.partition(".")
    if first == "members" and rest:
        return rest.partition(".")[2] in OF_MEMBERS or "." not in rest
    return path in SETTINGS or path in OF_MEMBERS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_documented_commands_and_options_exist(page: Path) -> None:
    wrong = []
    for arguments in commands_of(page):
        try:
            parse(arguments)
        except click.UsageError as error:
            wrong.append(f"ferflow {shlex.join(arguments)}: {error.format_message()}")
    assert not wrong


def test_the_commands_that_trained_the_shipped_bundles_exist() -> None:
    files = sorted((ROOT / "fer_models" / "weights").glob("*.json"))
    commands = [json.loads(file.read_text("utf-8"))["command"] for file in files]
    commands = [one for one in commands if one.startswith("ferflow ")]
    assert len(commands) > 5
    for command in commands:
        parse(command.split()[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_documented_settings_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    named = re.findall(r"--set ([a-z0-9_]+(?:\.[a-z0-9_]+)+)=", text)
    named += [
        path
        for path in re.findall(r"`([a-z0-9_]+(?:\.[a-z0-9_]+)+)(?:=[^`]*)?`", text)
        if path.partition(".")[0] in SECTIONS and not path.endswith(FILES)
    ]
    assert not sorted({path for path in named if not is_setting(path)} - {PLACEHOLDER})


def yaml_blocks(page: Path, key: str) -> list[str]:
    """The indented or fenced blocks with this key on their first level."""
    text = page.read_text("utf-8")
    blocks = re.findall(r"(?:^ {4}.*\n|^\n)+", text, re.MULTILINE)
    blocks += re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    blocks = [textwrap.dedent(block) for block in blocks]
    return [block for block in blocks if re.search(rf"^{key}:", block, re.MULTILINE)]


def test_documented_recipes_and_plans_are_valid(tmp_path: Path) -> None:
    """A recipe without a name is a part of one, without the network that tuning is to search."""
    file = tmp_path / "documented.yaml"
    recipes = [block for page in PAGES for block in yaml_blocks(page, "members")]
    assert len(recipes) > 4
    for recipe in recipes:
        file.write_text(recipe, "utf-8")
        is_whole = re.search(r"^name:", recipe, re.MULTILINE)
        load_config(str(file), [] if is_whole else ["tuning.enabled=false"])
    plans = [block for page in PAGES for block in yaml_blocks(page, "experiments")]
    assert plans
    for plan in plans:
        file.write_text(plan, "utf-8")
        read_plan(str(file))


def test_a_command_an_option_or_a_setting_that_is_not_there_is_found() -> None:
    with pytest.raises(click.UsageError, match="no command trian"):
        parse(["task", "trian"])
    with pytest.raises(click.NoSuchOption, match="--sed"):
        parse(["run", "--sed", "1"])
    assert parse(["run", "--seed", "1"])["seed"] == "1"
    assert is_setting("members.scratch_cnn.training.epochs")
    assert is_setting("training.epochs")
    assert not is_setting("training.epoch")
    assert not is_setting("members.0.training.epoch")
