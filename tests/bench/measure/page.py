"""The figures as text: for the terminal, and for the page."""

import statistics

from tools import CHEAP

NAMES = {
    "ssh": "N × `ssh HOST true`, the bound",
    CHEAP: "the same with `-o KexAlgorithms=curve25519-sha256`",
    "rectify apply": "`rectify apply`",
    "rectify check": "`rectify check`",
    "pyinfra": "pyinfra",
    "mitogen": "Ansible with Mitogen",
    "ansible": "Ansible with pipelining, ControlPersist, 50 forks",
}
# Times the bound at most; times faster than a peer at least.
GOALS = {"ssh": 1.5, "pyinfra": 4, "mitogen": 15, "ansible": 50}
ROUND_TRIPS = 8

BEGIN, END = "<!-- figures: written by tests/bench/run -->", "<!-- end of the figures -->"


def write(page, text):
    """Puts the figures between the page's two marks."""
    before, mark, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise SystemExit(f"{page} has no place for the figures: {BEGIN} … {END}")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def text(results):
    parts = [about(results)]
    parts += [fleet(result) for result in results]
    parts += [memory(results)]
    parts += [slow_line(result["line"]) for result in results if "line" in result]
    parts += [end_states(results)]
    return "\n".join(parts)


def about(results):
    machine = results[0]["machine"]
    tools = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    loads = "; ".join(
        f"{r['hosts']} hosts {load(r, 'load at the start')} before, {load(r, 'load at the end')} after" for r in results
    )
    return (
        f"Measured on {machine['date']}: {machine['processors']} processors ({machine['processor']}), kernel {machine['kernel']};\n"
        f"{tools}. Load averages of the machine (1, 5, 15 minutes): {loads}.\n"
    )


def load(result, when):
    return "/".join(f"{value:.1f}" for value in result["machine"][when])


def median(runs, what="seconds"):
    return statistics.median(run[what] for run in runs)


def fleet(result):
    runs = {tool: found for tool, found in result["rounds"].items() if found}
    bound = median(runs["ssh"]) if "ssh" in runs else None
    ours = median(runs["rectify apply"]) if "rectify apply" in runs else None
    lines = [
        f"### {result['hosts']} hosts, 32 tasks, nothing to change",
        "",
        "| what | seconds, median | least – most | rounds | times the bound | times `rectify apply` | processor seconds of the controller |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for tool in [tool for tool in NAMES if tool in runs]:
        seconds = [run["seconds"] for run in runs[tool]]
        mid = statistics.median(seconds)
        times = lambda base: f"{mid / base:.2f}" if base else ""
        lines.append(
            f"| {NAMES[tool]} | {mid:.2f} | {min(seconds):.2f} – {max(seconds):.2f} | {len(seconds)} "
            f"| {times(bound)} | {times(ours)} | {median(runs[tool], 'processor'):.2f} |"
        )
    lines += [f"| {NAMES[tool]} | did not get through on all hosts | | 0 | | | |" for tool in NAMES if result["rounds"].get(tool) == []]
    lines += ["", *goals(runs, bound, ours)]
    if result.get("first contact"):
        first = statistics.median(result["first contact"])
        lines += ["", f"The first contact, in which every host is sent the helper, takes {first:.2f} s."]
    return "\n".join(lines) + "\n"


def goals(runs, bound, ours):
    if not ours:
        return
    if bound:
        yield f"- Goal: at most {GOALS['ssh']} times the bound. Measured: {ours / bound:.2f}, {verdict(ours / bound <= GOALS['ssh'])}."
    for tool in ["pyinfra", "mitogen", "ansible"]:
        if tool in runs:
            ratio = median(runs[tool]) / ours
            yield (
                f"- Goal: at least {GOALS[tool]} times faster than {NAMES[tool].split(',')[0]}. Measured: {ratio:.1f} times, "
                f"{verdict(ratio >= GOALS[tool])}."
            )


def verdict(holds):
    return "met" if holds else "**not met**"


def memory(results):
    points = sorted({int(hosts): kib for result in results for hosts, kib in result["memory"].items()}.items())
    (few, least), (many, most) = points[0], points[-1]
    rows = "\n".join(f"| {hosts} | {kib / 1024:.1f} |" for hosts, kib in points)
    each = f"From {few} to {many} hosts that is {(most - least) / (many - few):.0f} KiB per host.\n" if many > few else ""
    return f"### Memory of the controller\n\n| hosts at a time | most memory in MiB |\n| ---: | ---: |\n{rows}\n\n{each}"


def slow_line(line):
    sizes = line["bytes"]
    first, later = sizes["first"], sizes["later"]
    text = [
        "### The helper, and what is sent",
        "",
        "| what | bytes |",
        "| --- | ---: |",
        f"| the helper, as it lies on a host | {sizes['helper']:,} |",
        f"| the helper, as sent | {first['up'] - later['up']:,} |",
        f"| sent to a host, first contact | {first['up']:,} |",
        f"| sent to a host, later contact | {later['up']:,} |",
        f"| received from a host, later contact | {later['down']:,} |",
        f"| the program `rectify`, helper included | {sizes['program']:,} |",
        "",
        "### A line that delays each way",
        "",
        "Seconds of a whole run on one host, and round trips: the growth over no delay, divided by twice the delay. Turns are changes of",
        "direction as the proxy counts them, most of all runs with a delay: two make a round trip, whether somebody waits for it or not; on",
        "a busy machine what belongs together may come apart, which makes more of them.",
        "",
        "| tasks | " + " | ".join(f"{row['delay']} ms" for row in next(iter(line["delays"].values()))) + " | round trips | turns |",
        "| ---: |" + " ---: |" * (len(next(iter(line["delays"].values()))) + 2),
    ]
    worst = 0
    for tasks, rows in line["delays"].items():
        base, last = rows[0], rows[-1]
        trips = (last["seconds"] - base["seconds"]) / (2 * last["delay"] / 1000)
        worst = max(worst, trips)
        cells = " | ".join(f"{row['seconds']:.3f}" for row in rows)
        text.append(f"| {tasks} | {cells} | {trips:.1f} | {max(row['turns'] for row in rows[1:])} |")
    text += ["", f"- Goal: at most {ROUND_TRIPS} round trips, however many tasks. Measured: {worst:.1f}, {verdict(worst <= ROUND_TRIPS)}.", ""]
    return "\n".join(text)


def end_states(results):
    lines = ["### End states", ""]
    for result in results:
        for tool, found in result["end_states"].items():
            same = "the same as after `rectify apply`" if not found["differences"] else "**not the same**:"
            own = f"; it left for itself: {', '.join(found['own'])}" if found["own"] else ""
            lines.append(f"- {result['hosts']} hosts, {NAMES[tool].split(',')[0]}: {found['paths']} paths made or changed, {same}{own}.")
            lines += [f"  - `{difference}`" for difference in found["differences"]]
    return "\n".join(lines) + "\n"
