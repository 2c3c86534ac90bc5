"""A slow line: run time and bytes through a proxy that delays each way. The proxy is the tests' own (`rectify-fleet proxy`)."""

import json
import statistics
import subprocess
from pathlib import Path

DELAYS = [0, 10, 50, 100]
STATE = Path(__file__).parents[1] / "state"


class Proxy:
    """A line to one host, for as long as the `with` lasts."""

    def __init__(self, place, delay):
        self.place, self.delay = place, delay

    def __enter__(self):
        host, address = next(iter(self.place.hosts.items()))
        command = [self.place.fleet, "proxy", f"{address}:22", str(self.delay)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        listens = self.process.stdout.readline().strip().split(":")
        home = self.place.home
        self.inventory = home / f"line-{self.delay}.ini"
        self.inventory.write_text(f"{host} ansible_host={listens[0]} ansible_port={listens[1]} ansible_user=root\n")
        self.config = home / f"line-{self.delay}.config"
        self.config.write_text(self.place.config.read_text() + f" HostKeyAlias {address}\n")
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def passed(self):
        """What passed since this was last asked."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def run(self, playbook):
        self.passed()
        command = [self.place.binary, "apply", "-i", self.inventory, "--ssh-config", self.config, playbook]
        ran = self.place.run(command, log="line")
        ran.expect(ran.code == 0, f"a run of {playbook.name} through a line of {self.delay} ms")
        return ran, self.passed()


def measure(place, count):
    playbooks = {32: STATE / "playbook.yml", 200: many_tasks(place, 200)}
    found = {"bytes": contacts(place, playbooks[32]), "delays": {}}
    for tasks, path in playbooks.items():
        rows = found["delays"][tasks] = []
        for delay in DELAYS:
            with Proxy(place, delay) as proxy:
                runs = [proxy.run(path) for _ in range(count)]
            seconds = statistics.median(ran.seconds for ran, _ in runs)
            rows.append({"delay": delay, "seconds": seconds, "turns": max(passed["turns"] for _, passed in runs)})
            print(f"  {tasks} tasks, {delay} ms each way: {seconds:.3f} s, {rows[-1]['turns']} turns", flush=True)
    return found


def contacts(place, path):
    """Bytes of the first contact with a host, and of a later one."""
    from inside import forget

    with Proxy(place, 0) as proxy:
        proxy.run(path)
        _, later = proxy.run(path)
        forget(place)
        _, first = proxy.run(path)
    helper = place.everywhere("cat /var/lib/rectify/bin/rectify-host-* | wc -c")
    return {"first": first, "later": later, "helper": int(helper.text.split()[0]), "program": place.binary.stat().st_size}


def many_tasks(place, tasks):
    """A playbook of so many tasks, none of which finds anything to do."""
    lines = ["- hosts: all", "  tasks:"]
    for number in range(tasks):
        lines.append(f"    - file: {{path: /srv/line/{number}, state: directory, mode: '0755'}}")
    path = place.home / f"line-{tasks}.yml"
    path.write_text("\n".join(lines) + "\n")
    place.run([place.binary, "apply", "-i", place.inventory, "--ssh-config", place.config, path], log="line")
    return path
