"""Boots a fleet of each size, measures in it, and writes the page. `inside` is the part that runs in the fleet's network."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import inside
import page

TOOLS = ["ssh", "rectify apply", "rectify check", "pyinfra", "mitogen", "ansible"]


def main():
    args = arguments()
    if args.inside:
        return inside.main(args)
    args.out.mkdir(parents=True, exist_ok=True)
    results = []
    for count in args.hosts:
        print(f"{count} hosts: booting", flush=True)
        result = args.out / f"{count}.json"
        result.unlink(missing_ok=True)
        command = [args.fleet, "with", "--debian", count, "--", sys.executable, Path(__file__).parent, "--inside", result]
        # What runs in the fleet sees nothing of this environment: what it needs is given to it.
        for name in ["fleet", "peers", "out", "rounds", "only", "binary"]:
            command += [f"--{name}", getattr(args, name)]
        subprocess.run([str(word) for word in command], check=True)
        results.append(json.loads(result.read_text()))
    text = page.text(sorted(results, key=lambda result: result["hosts"]))
    print(text)
    if args.page:
        page.write(Path(__file__).parents[3] / "docs/bench.md", text)


def arguments():
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__)
    split = lambda kind: lambda text: [kind(part) for part in text.split(",")]
    parser.add_argument("--hosts", type=split(int), default=[10, 50], metavar="N,N", help="fleets to measure (10,50)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="interleaved rounds of all tools (5)")
    parser.add_argument("--only", default=",".join(TOOLS), metavar="TOOL,TOOL", help=f"some of: {', '.join(TOOLS)}")
    parser.add_argument("--no-page", dest="page", action="store_false", help="leave docs/bench.md as it is")
    for name in ["--fleet", "--peers", "--out", "--inside"]:
        parser.add_argument(name, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--binary", type=Path, default=os.environ.get("RECTIFY_BIN"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    unknown = set(args.only.split(",")) - set(TOOLS)
    if unknown:
        parser.error(f"there is no tool {', '.join(sorted(unknown))}")
    return args


if __name__ == "__main__":
    sys.exit(main())
