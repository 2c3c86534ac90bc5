"""Records what Ansible itself makes of cases.txt: run with a Python that has ansible-core 2.19 and passlib.

Each line of cases.txt is a kind (v: value, c: condition, f: template file), a blank and a text in which `⏎` is a newline.
"""
import json
import pathlib
import warnings

warnings.simplefilter("ignore")
here = pathlib.Path(__file__).parent

from ansible import constants  # noqa: E402
from ansible.parsing.dataloader import DataLoader  # noqa: E402
from ansible.plugins.loader import init_plugin_loader  # noqa: E402
from ansible.release import __version__  # noqa: E402
from ansible.template import Templar, trust_as_template  # noqa: E402
from ansible.utils.display import Display  # noqa: E402

constants.DEPRECATION_WARNINGS = False
Display().display = lambda *a, **k: None
init_plugin_loader([])


def trust(value):
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, list):
        return [trust(v) for v in value]
    if isinstance(value, dict):
        return {k: trust(v) for k, v in value.items()}
    return value


def evaluate(kind, text):
    templar = Templar(loader=DataLoader(), variables=trust(json.loads((here / "vars.json").read_text())))
    text = trust_as_template(text)
    if kind == "c":
        return templar.evaluate_conditional(text)
    if kind == "f":
        result = templar.template(text, escape_backslashes=False, preserve_trailing_newlines=True)
        return "" if result is None else str(result)
    return templar.template(text)


def record(line):
    kind, text = line[0], line[2:].replace("⏎", "\n")
    entry = {"kind": kind, "text": text}
    try:
        value = evaluate(kind, text)
        if type(value).__name__ == "Omit" or "Omit" in repr(type(value)):
            entry["omit"] = True
        else:
            entry["value"] = json.loads(json.dumps(value, default=str))
    except Exception as error:
        if "Omit scalar" in str(error):
            entry["omit"] = True
            return entry
        cause, undefined = error, False
        while cause:
            undefined |= "Undefined" in type(cause).__name__ or "is undefined" in str(cause)
            cause = cause.__cause__
        entry["error"] = "undefined" if undefined else str(error).split("\n")[0][:160]
    return entry


lines = [l for l in (here / "cases.txt").read_text().splitlines() if l and not l.startswith("#")]
cases = [record(line) for line in lines]
body = ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases)
(here / "golden.json").write_text('{"ansible": "%s", "cases": [\n%s\n]}\n' % (__version__, body))
print(len(cases), "cases;", sum("error" in c for c in cases), "errors")
