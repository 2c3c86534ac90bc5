"""playbook.yml in pyinfra's words: the same 32 steps in the same order, on the same files and templates."""

from pathlib import Path

import yaml
from pyinfra import host
from pyinfra.facts.files import File
from pyinfra.facts.server import Hostname, LinuxName
from pyinfra.operations import apt, files, server, systemd

here = Path(__file__).parent
variables = yaml.safe_load((here / "vars.yml").read_text())


def put(name, source, dest, group, mode):
    files.put(name=name, src=str(here / "files" / source), dest=dest, user="root", group=group, mode=mode)


def template(name, source, dest, group, mode):
    files.template(
        name=name,
        src=str(here / "templates" / source),
        dest=dest,
        user="root",
        group=group,
        mode=mode,
        jinja_env_kwargs={"trim_blocks": True},
        ansible_facts={"hostname": host.get_fact(Hostname), "distribution": host.get_fact(LinuxName)},
        **variables,
    )


# Accounts
server.group(name="group of the application", group="app", gid=2001)
server.user(
    name="account of the application",
    user="app",
    uid=2001,
    group="app",
    home="/srv/app",
    shell="/usr/sbin/nologin",
    ensure_home=False,
    comment="Application",
)
server.user(
    name="account of the operators",
    user="ops",
    uid=2002,
    shell="/bin/bash",
    home="/home/ops",
    create_home=True,
    ensure_home=False,
    comment="Operators",
)

# Folders and links
for name, path, user, group, mode in [
    ("home of the application", "/srv/app", "app", "app", "750"),
    ("releases", "/srv/app/releases", "app", "app", "750"),
    ("uploads", "/srv/app/shared", "www-data", "app", "2770"),
    ("configuration folder", "/etc/app", "root", "app", "750"),
    ("fragments", "/etc/app/conf.d", "root", "app", "750"),
    ("logs", "/var/log/app", "app", "adm", "2750"),
]:
    files.directory(name=name, path=path, user=user, group=group, mode=mode)
files.link(name="the current release", path="/srv/app/current", target="releases")

# Files as they are
put("settings", "app.conf", "/etc/app/app.conf", "app", "640")
put("limits", "limits.conf", "/etc/app/conf.d/10-limits.conf", "app", "640")
put("health check", "app-health", "/usr/local/bin/app-health", "root", "755")
put("cron job", "cron", "/etc/cron.d/app", "root", "644")
put("rotation of logs", "logrotate", "/etc/logrotate.d/app", "root", "644")

# Files from templates
template("site", "site.conf.j2", "/etc/apache2/conf-available/app.conf", "root", "644")
files.link(name="site is on", path="/etc/apache2/conf-enabled/app.conf", target="../conf-available/app.conf")
template("environment", "environment.j2", "/etc/app/environment", "app", "640")
template("message of the day", "motd.j2", "/etc/motd", "root", "644")

# Lines in files of others
for name, path, line, replace in [
    ("no login of root with a password", "/etc/ssh/sshd_config", r"^#\?PermitRootLogin .*$", "PermitRootLogin prohibit-password"),
    ("no forwarding of displays", "/etc/ssh/sshd_config", r"^#\?X11Forwarding .*$", "X11Forwarding no"),
    ("files of users are their own", "/etc/login.defs", r"^UMASK[[:space:]].*$", "UMASK 027"),
    ("address of the database", "/etc/hosts", r"^.*[[:space:]]db\.internal$", "10.77.200.1 db.internal"),
]:
    files.line(name=name, path=path, line=line, replace=replace)

# Packages
apt.packages(name="the web server", packages=["apache2", "libapache2-mod-php"])
apt.packages(name="tools", packages=["curl", "nftables", "less"])
apt.packages(name="nothing that sends passwords in the clear", packages=["telnet", "tcpd"], present=False)

# Services
for name, service in [("the web server runs", "apache2"), ("cron runs", "cron"), ("ssh runs", "ssh")]:
    systemd.service(name=name, service=service, running=True, enabled=True)

# The kernel
for name, key, value in [
    ("no flood of half-open connections", "net.ipv4.tcp_syncookies", 1),
    ("no routes by the sender", "net.ipv4.conf.all.accept_source_route", 0),
]:
    server.sysctl(name=name, key=key, value=value, persist=True, persist_file="/etc/sysctl.d/60-app.conf")

# Commands
if not host.get_fact(File, path="/srv/app/.installed"):
    server.shell(name="the application is set up", commands=["touch /srv/app/.installed"])
