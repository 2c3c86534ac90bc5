"""Records what Ansible's own commands print for every case under core/tests/inventories.

Run by the Python of an environment that has ansible-core: golden.py OUT CASE...
For every case directory this writes OUT/<case>/{list.json,export.json,list.yml,graph.txt,graph-vars.txt,host.*.json,
select.txt,status.txt}. Each command runs in a fork, so that Ansible is imported only once.
"""

import io
import os
import shlex
import sys
import traceback

os.environ.clear()
os.environ.update(
    PATH="/usr/local/bin:/usr/bin:/bin",
    HOME="/nonexistent",
    LC_ALL="C.UTF-8",
    ANSIBLE_NOCOLOR="1",
    # No such file: nobody's own settings.
    ANSIBLE_CONFIG="/nonexistent/ansible.cfg",
    ANSIBLE_LOCAL_TEMP="/tmp/rectify-golden-%d" % os.getpid(),
    ANSIBLE_LOCALHOST_WARNING="0",
    ANSIBLE_INVENTORY_UNPARSED_WARNING="0",
)
sys.path.insert(0, os.path.dirname(os.path.abspath(sys.executable)))

from ansible.cli.adhoc import AdHocCLI  # noqa: E402
from ansible.cli.inventory import InventoryCLI  # noqa: E402


def run(cli, argv):
    """One command in a fork: exit status, standard output, standard error."""
    out_r, out_w = os.pipe()
    err = os.memfd_create("stderr")
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            os.dup2(out_w, 1)
            os.dup2(err, 2)
            sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False), encoding="utf-8")
            sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", closefd=False), encoding="utf-8")
            os.close(out_r)
            os.close(out_w)
            cli.cli_executor(argv)
            code = 0
        except SystemExit as done:
            code = done.code or 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    os.close(out_w)
    with os.fdopen(out_r, "rb") as pipe:
        out = pipe.read().decode()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    size = os.lseek(err, 0, os.SEEK_END)
    text = os.pread(err, size, 0).decode()
    os.close(err)
    return status, out, text


def lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return file.read().split("\n")[:-1]


def record(case, out):
    os.makedirs(out, exist_ok=True)
    args = shlex.split(lines(os.path.join(case, "args"))[0])
    select = lines(os.path.join(case, "select"))
    hosts = lines(os.path.join(case, "hosts"))
    out = os.path.abspath(out)
    os.chdir(os.path.join(case, "in"))
    status, text, err = run(InventoryCLI, ["ansible-inventory", *args, "--list"])
    lost = status != 0 or "Failed to parse inventory" in err or "Unable to parse" in err
    write(out, "status.txt", "lost\n" if lost else "ok\n")
    if lost:
        return
    write(out, "list.json", text)
    views = {
        "export.json": ["--list", "--export"],
        "list.yml": ["--list", "--yaml"],
        "graph.txt": ["--graph"],
        "graph-vars.txt": ["--graph", "--vars"],
    }
    for name, view in views.items():
        # A vaulted value cannot be printed by --graph --vars without its secret.
        status, text, _ = run(InventoryCLI, ["ansible-inventory", *args, *view])
        write(out, name, text if status == 0 else "failed\n")
    for host in hosts:
        _, text, _ = run(InventoryCLI, ["ansible-inventory", *args, "--host", host])
        write(out, "host.%s.json" % host, text)
    results = []
    for line in select:
        pattern, _, limit = line.partition(" | ")
        more = ["-l", limit] if limit else []
        status, text, _ = run(AdHocCLI, ["ansible", pattern, *args, *more, "--list-hosts"])
        names = [name.strip() for name in text.split("\n")[1:] if name.strip()]
        results.append("%s => %s" % (line, " ".join(names) if status == 0 else "failed"))
    if select:
        write(out, "select.txt", "\n".join(results) + "\n")


def write(out, name, text):
    with open(os.path.join(out, name), "w", encoding="utf-8") as file:
        file.write(text)


def main():
    target = os.path.abspath(sys.argv[1])
    cases = [os.path.abspath(case) for case in sys.argv[2:]]
    for case in cases:
        record(case, os.path.join(target, os.path.basename(case)))


if __name__ == "__main__":
    main()
