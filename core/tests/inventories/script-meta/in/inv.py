#!/usr/bin/env python3
import json, sys
if sys.argv[1:] == ["--list"]:
    print(json.dumps({
        "web": {"hosts": ["w1", "w2"], "vars": {"env": "prod", "n": 1.5}, "children": ["sub"]},
        "sub": {"hosts": ["s1"]},
        "empty": {"hosts": []},
        "_meta": {"hostvars": {"w1": {"ansible_host": "192.0.2.1", "deep": {"a": [None, True]}}, "stranger": {"x": 1}}},
    }))
else:
    sys.exit(1)
