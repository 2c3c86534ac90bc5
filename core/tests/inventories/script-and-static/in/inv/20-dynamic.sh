#!/bin/sh
echo '{"web": {"hosts": ["w1", "dyn"]}, "_meta": {"hostvars": {"w1": {"a": "dynamic"}}}}'
