"""`faceveil completion`: the script with which a shell completes commands and options."""

from __future__ import annotations

import argparse

from faceveil.cli.arguments import Commands, add_command

DESCRIPTION = """\
Print the script with which a shell completes commands, options and file names.

  faceveil completion bash > ~/.local/share/bash-completion/completions/faceveil
  faceveil completion zsh > ~/.zfunc/_faceveil        with fpath+=~/.zfunc before compinit
  faceveil completion fish > ~/.config/fish/completions/faceveil.fish

It takes effect in the next shell.
"""


def add_completion_parser(commands: Commands) -> None:
    """Add `completion` to the commands."""
    parser = add_command(
        commands,
        "completion",
        "SHELL",
        "print a script that completes commands in a shell",
        DESCRIPTION,
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.set_defaults(func=run_completion)


def run_completion(options: argparse.Namespace) -> int:
    """`faceveil completion`."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["faceveil", "faceveil-postprocess"], shell=options.shell))
    return 0


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell, which calls the program to complete what is typed, and end."""
    import argcomplete

    argcomplete.autocomplete(parser)
