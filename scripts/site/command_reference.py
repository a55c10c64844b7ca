"""The command reference as Markdown, made from the parsers of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import groupby


def command_reference(*parsers: argparse.ArgumentParser) -> str:
    """Return one section per command, in the order of its parsers' help."""
    sections = ["# Commands\n\nThis page is made from `--help` of each command."]
    for parser in parsers:
        sections += _sections(parser, parser.prog)
    return "\n\n".join(sections) + "\n"


def _sections(parser: argparse.ArgumentParser, name: str) -> Iterator[str]:
    commands = _subcommands(parser)
    yield f"## {name}"
    yield from _prose(parser.description)
    yield f"```text\n{parser.format_usage().removeprefix('usage: ').strip()}\n```"
    for group in parser._action_groups:
        yield from _group(group, parser)
    if commands is None:
        return
    yield from _prose(parser.epilog)
    for word, command in commands.choices.items():
        yield from _sections(command, f"{name} {word}")


def _group(group: argparse._ArgumentGroup, parser: argparse.ArgumentParser) -> Iterator[str]:
    """A table of the options of a group, or of the commands that a parser offers."""
    formatter = parser._get_formatter()
    rows: list[tuple[str, str]] = []
    heading = "| option | effect |"
    for action in group._group_actions:
        if action.help == argparse.SUPPRESS or isinstance(action, argparse._HelpAction):
            continue
        if isinstance(action, argparse._SubParsersAction):
            rows += [(item.dest, item.help or "") for item in action._choices_actions]
            heading = "| command | effect |"
        else:
            text = formatter._expand_help(action) if action.help else ""
            rows.append((formatter._format_action_invocation(action), text))
    if not rows:
        return
    yield f"**{(group.title or 'options').capitalize()}**"
    yield from _prose(group.description)
    lines = [f"| `{_cell(name)}` | {_escaped(_cell(text))} |" for name, text in rows]
    yield "\n".join([heading, "|---|---|", *lines])


def _prose(text: str | None) -> Iterator[str]:
    """Paragraphs as they are, indented lines as code."""
    lines = [line.rstrip() for line in (text or "").splitlines()]
    for kind, block in groupby(lines, key=lambda line: line[:2].isspace() if line else None):
        if kind is not None:
            content = "\n".join(line.removeprefix("  ") if kind else line for line in block)
            yield f"```text\n{content}\n```" if kind else _escaped(content)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _escaped(text: str) -> str:
    """Text outside code spans with what Markdown would take for markup escaped."""
    parts = text.split("`")
    parts[::2] = [part.replace("<", "&lt;").replace("*", "\\*") for part in parts[::2]]
    return "`".join(parts)


def _subcommands(
    parser: argparse.ArgumentParser,
) -> argparse._SubParsersAction[argparse.ArgumentParser] | None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action
    return None
