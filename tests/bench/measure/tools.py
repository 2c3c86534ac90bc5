"""The tools: how each is called for one declared state, and how its own words are read to be sure that it did what is timed."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

STATE = Path(__file__).parents[1] / "state"


class Failed(Exception):
    """A tool that did not do what was to be measured."""


class Ran:
    """A process that ended: seconds on the clock, seconds of processor time, what it printed."""

    def __init__(self, command, env, folder, log):
        with open(log, "w+") as out:
            start = time.monotonic()
            words = [str(word) for word in command]
            # In a session of its own: whatever a tool does to its process group stays there.
            process = subprocess.Popen(
                words, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
            try:
                _, status, usage = os.wait4(process.pid, 0)
            except BaseException:
                os.killpg(process.pid, signal.SIGTERM)
                raise
            self.seconds = time.monotonic() - start
            process.returncode = os.waitstatus_to_exitcode(status)
        self.code = process.returncode
        self.processor = usage.ru_utime + usage.ru_stime
        self.text = Path(log).read_text(errors="replace")

    def expect(self, holds, what):
        """Fails with what was printed unless that holds."""
        if not holds:
            raise Failed(f"{what} (exit code {self.code}):\n{self.text[-4000:]}")


class Place:
    """The fleet, as its controller sees it: the home with key, known hosts and inventory, and the hosts' addresses."""

    def __init__(self, args):
        self.home = Path(os.environ["HOME"])
        self.inventory = self.home / "inventory.ini"
        self.known_hosts = self.home / ".ssh/known_hosts"
        self.key = self.home / ".ssh/id_ed25519"
        lines = re.findall(r"^(\w+) .*ansible_host=(\S+)", self.inventory.read_text(), re.M)
        self.hosts = dict(lines)
        self.peers, self.binary, self.fleet = args.peers, args.binary, args.fleet
        self.env = dict(os.environ)
        self.config = self.home / "ssh_config"
        self.config.write_text(f"Host *\n UserKnownHostsFile {self.known_hosts}\n IdentityFile {self.key}\n")
        (self.home / "cp").mkdir(exist_ok=True)
        data = {"ssh_user": "root", "ssh_key": str(self.key), "ssh_known_hosts_file": str(self.known_hosts)}
        hosts = [(name, {"ssh_hostname": address, **data}) for name, address in self.hosts.items()]
        (self.home / "fleet.py").write_text(f"fleet = {hosts!r}\n")

    def run(self, command, more_env=(), log="log"):
        return Ran(command, {**self.env, **dict(more_env)}, self.home, self.home / f"{log}.log")

    def close(self):
        """Ends the connections that Ansible left open."""
        for socket in (self.home / "cp").iterdir():
            self.run(["ssh", "-F", "none", "-o", f"ControlPath={socket}", "-O", "exit", "host"], log="close")

    def memory(self, command):
        """Runs a command and says how much memory it took at most, in KiB. The kernel counts this per address space; what wait4(2)
        says has this program's own memory in it, from the moment before the command was loaded."""
        nothing = subprocess.DEVNULL
        words = [str(word) for word in command]
        process = subprocess.Popen(words, env=self.env, cwd=self.home, stdin=nothing, stdout=nothing, stderr=nothing)
        most = 0
        while process.poll() is None:
            found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text(), re.M)
            most = max(most, int(found[1]) if found else 0)
            time.sleep(0.005)
        if process.returncode:
            raise Failed(f"exit code {process.returncode}: {command}")
        return most

    def everywhere(self, line):
        """Runs a line of sh on all hosts, one after the other, as root."""
        base = ["ssh", "-F", self.config, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
        each = 'for address in $HOSTS; do "$@" "root@$address" "$LINE" || exit; done'
        more = {"HOSTS": " ".join(self.hosts.values()), "LINE": line}
        return self.run(["sh", "-c", each, "sh", *base], more, log="everywhere")

    def root(self, name):
        """A host's whole file system."""
        return self.home.parent / "hosts" / name / "merged"

    def upper(self, name):
        """The upper folder of a host's overlay."""
        return self.home.parent / "hosts" / name / "upper"


def ssh(options=()):
    """As many `ssh HOST true` at once as there are hosts."""

    def run(place, limit=None):
        base = ["ssh", "-F", place.config, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", *options]
        # One small process starts them all and waits: the clock is stopped as for any other tool.
        start = """
            all=
            for address in $HOSTS; do "$@" "root@$address" true & all="$all $!"; done
            for one in $all; do wait "$one" || exit; done
        """
        return place.run(["sh", "-c", start, "sh", *base], {"HOSTS": " ".join(place.hosts.values())}, log="ssh")

    return run


def rectify(verb, more=()):
    def run(place, limit=None):
        command = [place.binary, verb, "-i", place.inventory, "--ssh-config", place.config, "-f", 50, *more]
        command += ["-l", limit] if limit else []
        return place.run([*command, STATE / "playbook.yml"], log=f"rectify-{verb}")

    return run


def ansible(strategy):
    def run(place, limit=None):
        options = {
            "ANSIBLE_INVENTORY": place.inventory,
            "ANSIBLE_FORKS": "50",
            "ANSIBLE_PIPELINING": "true",
            # Fifty logins at once on a busy machine take longer than the usual ten seconds.
            "ANSIBLE_TIMEOUT": "180",
            "ANSIBLE_SSH_ARGS": f"-F {place.config} -o ControlMaster=auto -o ControlPersist=600s",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": place.home / "cp",
            # Finding the interpreter would cost another exchange per host.
            "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        }
        if strategy:
            options["ANSIBLE_STRATEGY"] = strategy
            options["ANSIBLE_STRATEGY_PLUGINS"] = next(place.peers.glob("lib/python3*/site-packages/ansible_mitogen/plugins/strategy"))
        command = [place.peers / "bin/ansible-playbook", *(["-l", limit] if limit else []), STATE / "playbook.yml"]
        return place.run(command, {name: str(value) for name, value in options.items()}, log=strategy or "ansible")

    return run


def pyinfra(place, limit=None):
    command = [place.peers / "bin/pyinfra", "-y", *(["--limit", limit] if limit else []), place.home / "fleet.py", STATE / "deploy.py"]
    return place.run(command, log="pyinfra")


# The bound with a key exchange that costs less than OpenSSH's default.
CHEAP = "ssh, curve25519"

RUN = {
    "ssh": ssh(),
    CHEAP: ssh(["-o", "KexAlgorithms=curve25519-sha256"]),
    "rectify apply": rectify("apply"),
    "rectify check": rectify("check"),
    "pyinfra": pyinfra,
    "mitogen": ansible("mitogen_linear"),
    "ansible": ansible(None),
}


def read_ssh(ran, hosts):
    ran.expect(ran.code == 0, "an ssh failed")
    return 0


def read_rectify(ran, hosts):
    ran.expect(ran.code == 0, "rectify did not get through on all hosts, or found what it cannot repair")
    # Lines are wrapped to the width of the terminal.
    recap = " ".join(ran.text.rpartition("RECAP")[2].split())
    if re.search(rf"\b{len(hosts)} hosts? [^:]*: everything is as declared\.", recap):
        return 0
    changed = re.findall(r"(\d+) changed", recap)
    ran.expect(changed, "rectify's recap is not understood")
    return int(changed[0])


def read_pyinfra(ran, hosts):
    done = {host: len(re.findall(rf"\[{host}\] +(?:Success|No changes)", ran.text)) for host in hosts}
    # The last step is left out where there is nothing to set up.
    ran.expect(ran.code == 0 and all(count >= 31 for count in done.values()), "pyinfra did not get through on all hosts")
    return len(re.findall(r"\] +Success", ran.text))


def read_ansible(ran, hosts):
    recap = re.findall(r"^(\S+) +: ok=(\d+) +changed=(\d+) +unreachable=0 +failed=0 ", ran.text, re.M)
    done = {host: int(ok) for host, ok, _ in recap}
    # 32 tasks, and the facts.
    ran.expect(ran.code == 0 and done == dict.fromkeys(hosts, 33), "Ansible did not get through on all hosts")
    return sum(int(changed) for _, _, changed in recap)


# Each fails unless the tool got through on all of these hosts, and gives the number of changes that it says it made.
READ = {
    "ssh": read_ssh,
    CHEAP: read_ssh,
    "rectify apply": read_rectify,
    "rectify check": read_rectify,
    "pyinfra": read_pyinfra,
    "mitogen": read_ansible,
    "ansible": read_ansible,
}
