"""`faceveil weights`: networks, their licences, the cache they are in, engines and families."""

from __future__ import annotations

import argparse

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command


def add_weights_parser(commands: Commands) -> None:
    """Add `weights` and its actions to the commands."""
    parser = add_command(
        commands, "weights", "ACTION", "list, fetch or verify networks; show their engines"
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    listing = add_command(
        actions, "list", "", "show each network, its licence, and where it comes from"
    )
    listing.set_defaults(func=run_list)

    fetch = add_command(
        actions,
        "fetch",
        "[NAME …]",
        "download, check and convert networks (default: those that the default options need)",
    )
    fetch.add_argument("names", nargs="*", metavar="NAME")
    fetch.add_argument(
        "--accept-licence",
        action="store_true",
        help="fetch networks whose licence forbids commercial use",
    )
    fetch.add_argument(
        "--trust-hash",
        metavar="SHA256",
        help="pin this sha256 for a network whose own faceveil does not know; fetching such a "
        "network without it shows the hash that was found",
    )
    fetch.set_defaults(func=run_fetch)

    verify = add_command(actions, "verify", "[NAME …]", "compare the cached files with their hash")
    verify.add_argument("names", nargs="*", metavar="NAME")
    verify.set_defaults(func=run_verify)

    engines = add_command(
        actions,
        "engines",
        "",
        "show the engines of this machine, and on which one each default network runs fastest",
    )
    engines.add_argument(
        "--again",
        action="store_true",
        help="measure again, for instance where the machine was busy the first time",
    )
    engines.add_argument(
        "--threads", type=parsing.positive, default=1, metavar="N", help="threads a network uses"
    )
    engines.set_defaults(func=run_engines)

    families = add_command(
        actions,
        "families",
        "",
        "show which files of your own can be named as --detector and --recognizer, and where to "
        "get them",
    )
    families.set_defaults(func=run_families)


def run_list(options: argparse.Namespace) -> int:
    """`faceveil weights list`."""
    from faceveil.weights import catalogue

    for row in catalogue.list_networks():
        network = row.network
        use = "commercial use allowed" if network.commercial_use else "NO commercial use"
        print(
            f"{network.name}  ({network.role}, {row.state})\n"
            f"    {network.summary}\n"
            f"    licence   {network.licence} ({use})\n"
            f"    trained   {network.training_data}\n"
            f"    from      {network.source.kind} {network.source.location}"
        )
    return 0


def run_fetch(options: argparse.Namespace) -> int:
    """`faceveil weights fetch`."""
    from faceveil.weights import catalogue

    names = options.names or catalogue.DEFAULT_NETWORKS
    fetched = catalogue.fetch_networks(
        names, options.accept_licence, trust=options.trust_hash, progress=print
    )
    for located in fetched:
        print(f"{located.network.name}: ready, {next(iter(located.files.values())).parent}")
    return 0


def run_verify(options: argparse.Namespace) -> int:
    """`faceveil weights verify`; the exit code is that of WeightsError when a file is corrupt."""
    from faceveil.errors import WeightsError
    from faceveil.weights import catalogue

    rows = catalogue.verify_networks(options.names)
    for row in rows:
        print(f"{row.network.name}: {row.state}")
    corrupt = any(row.state == "corrupt" for row in rows)
    return WeightsError.exit_code if corrupt else 0


def run_engines(options: argparse.Namespace) -> int:
    """`faceveil weights engines`: what `auto` chooses where everyone is veiled, and why."""
    from faceveil.weights import catalogue
    from faceveil.weights.engines import available_engines, processor
    from faceveil.weights.session import Runtime

    print(f"processor  {processor().name}\nengines    {', '.join(available_engines())}")
    print("             where someone stays visible, the processor runs all networks in float32")
    runtime = Runtime(threads=options.threads, everyone_veiled=True)
    for name, choice in catalogue.default_engines(runtime, options.again).items():
        print(f"{name}  {choice}")
        if choice.milliseconds:
            print(f"    cosine of the results in bfloat16 and float32: {choice.agreement:.4f}")
    return 0


def run_families(options: argparse.Namespace) -> int:
    """`faceveil weights families`."""
    from faceveil.weights.families import FAMILIES

    for family in FAMILIES:
        of_kind = "faces, or what --also KIND names" if family.of_objects else "faces"
        print(
            f"{family.name}  ({family.role} of {of_kind})\n"
            f"    {family.summary}\n"
            f"    takes     {family.takes}\n"
            f"    returns   {family.answers}\n"
            f"    from      {family.origin}"
        )
    return 0
