"""What runs in the fleet's network, as its controller: end states, rounds, memory, bytes, delays."""

import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess

import disks
import line
from tools import CHEAP, READ, RUN, STATE, Failed, Place, rectify

# On more than ten hosts a tool that takes minutes is measured so many times at most.
SLOW = {"ansible": 1, "mitogen": 1}
PEERS = ["pyinfra", "mitogen", "ansible"]


def main(args):
    place = Place(args)
    try:
        args.inside.write_text(json.dumps(measure(place, args), indent=1))
    finally:
        place.close()


def measure(place, args):
    only = args.only.split(",")
    result = {"hosts": len(place.hosts), "machine": machine(place), "end_states": end_states(place, only)}
    settle(place, only)
    result["rounds"] = rounds(place, only, args.rounds)
    result["memory"] = memory(place)
    result["first contact"] = first_contact(place, args.rounds)
    if len(place.hosts) <= 10:
        result["line"] = line.measure(place, args.rounds)
    result["machine"]["load at the end"] = os.getloadavg()
    return result


def say(text):
    print(f"  {datetime.datetime.now():%H:%M:%S} {text}", flush=True)


def machine(place):
    words = dict(pair.split(":", 1) for pair in open("/proc/cpuinfo").read().splitlines() if ":" in pair)
    names = {key.strip(): value.strip() for key, value in words.items()}
    return {
        "date": f"{datetime.date.today()}",
        "processors": os.cpu_count(),
        "processor": names.get("model name", platform.machine()),
        "kernel": platform.release(),
        "versions": versions(place),
        "load at the start": os.getloadavg(),
    }


def versions(place):
    first = lambda command: subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    ssh = first(["ssh", "-V"]).stderr.split(",")[0]
    ours = first([place.binary, "--version"]).stdout.split()
    peers = {name: importlib.metadata.version(name) for name in ["pyinfra", "ansible-core", "mitogen"]}
    return dict([ours[:2], ssh.split("_")[:2]]) | peers | {"Python": platform.python_version()}


def end_states(place, only):
    """Each tool makes the declared state on a host of its own; then the hosts' disks are compared."""
    tools = [tool for tool in ["rectify apply", *PEERS] if tool in only]
    hosts = dict(zip(tools, place.hosts))
    made = {}
    for tool, host in hosts.items():
        before = disks.listing(place.upper(host))
        ran = RUN[tool](place, host)
        changes = READ[tool](ran, [host])
        made[tool] = disks.made(before, disks.listing(place.upper(host)))
        say(f"end state by {tool}: {changes} changes, {len(made[tool])} paths")
    found = {}
    for tool in tools[1:]:
        ours, theirs = ((hosts[name], place.root(hosts[name])) for name in (tools[0], tool))
        lines = disks.differences(made[tools[0]] | made[tool], ours, theirs)
        found[tool] = {"differences": lines, "own": disks.own(made[tool]), "paths": len(made[tool])}
        for text in lines:
            say(f"{tools[0]} | {tool}: {text}")
    return found


def settle(place, only):
    """Every host gets the declared state. pyinfra gets the last word, as it is the one that insists on its own spelling."""
    for tool in ["rectify apply", *(["pyinfra"] if "pyinfra" in only else [])]:
        say(f"settling: {tool}, {READ[tool](RUN[tool](place), place.hosts)} changes")


def rounds(place, only, count):
    """All tools in turn, round after round. Each must say itself that it reached all hosts and found nothing to do; a peer's round in
    which it did not is noted and does not count."""
    figures = {tool: [] for tool in [*only, CHEAP]}
    for number in range(count):
        for tool, runs in figures.items():
            if number >= (SLOW.get(tool, count) if len(place.hosts) > 10 else count):
                continue
            try:
                ran = RUN[tool](place)
                changes = READ[tool](ran, place.hosts)
                ran.expect(changes == 0, f"{tool} changed {changes} things on settled hosts")
            except Failed as failure:
                if tool not in PEERS:
                    raise
                say(f"round {number + 1}: {failure}")
                continue
            runs.append({"seconds": ran.seconds, "processor": ran.processor})
            say(f"round {number + 1}: {tool} {ran.seconds:.2f} s")
    return figures


def memory(place):
    """Most memory of the controller, in KiB, by hosts at a time; more of them than there are by giving each several names."""
    figures = {}
    for times in (1, 4):
        names = len(place.hosts) * times
        inventory = place.home / f"names-{names}.ini"
        lines = [f"{host}-{i} ansible_host={address}" for i in range(times) for host, address in place.hosts.items()]
        inventory.write_text("[all]\n" + "\n".join(lines) + "\n[all:vars]\nansible_user=root\n")
        command = [place.binary, "check", "-i", inventory, "--ssh-config", place.config, "-f", names, STATE / "playbook.yml"]
        figures[names] = place.memory(command)
        say(f"memory with {names} hosts at a time: {figures[names]} KiB")
    return figures


def first_contact(place, count):
    """Seconds of a run on hosts that have no helper yet."""
    seconds = []
    for _ in range(min(count, 3)):
        forget(place)
        ran = rectify("apply")(place)
        READ["rectify apply"](ran, place.hosts)
        seconds.append(ran.seconds)
    say(f"first contact: {statistics.median(seconds):.2f} s")
    return seconds


def forget(place):
    """Takes the cached helper from every host."""
    ran = place.everywhere("rm -rf /var/lib/rectify/bin")
    ran.expect(ran.code == 0, "remove the helper from the hosts")
