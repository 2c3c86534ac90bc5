#!/bin/sh
case "$1" in
--list) echo '{"web": ["w1", "w2"], "solo": {"x": 1}, "db": {"hosts": ["w2"], "children": ["web"]}}' ;;
--host) [ "$2" = w2 ] || { echo "{\"name\": \"$2\", \"port\": 22}"; } ;;
esac
