#!/usr/bin/python3
"""What other people's programs read in mails, feeds and calendars, as JSON.

readers.py mails FOLDER | feed FILE | calendar FILE
"""

import email
import email.policy
import html.parser
import json
import pathlib
import sys


class Shown(html.parser.HTMLParser):
    """The text of a page, without what is in its head."""

    def __init__(self, page):
        super().__init__()
        self.text = ""
        self.head = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.head |= tag == "head"

    def handle_endtag(self, tag):
        self.head &= tag != "head"

    def handle_data(self, data):
        self.text += "" if self.head else data


def mail(path):
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    parts = list(message.iter_parts())
    return {
        "envelope": path.with_suffix(".to").read_text().splitlines(),
        "headers": {name.lower(): str(value) for name, value in message.items()},
        "type": message.get_content_type(),
        "types": [part.get_content_type() for part in parts],
        "bodies": [part.get_content().replace("\r\n", "\n") for part in parts],
        "shown": "".join(Shown(part.get_content()).text for part in parts if part.get_content_subtype() == "html"),
        "defects": [str(d) for m in message.walk() for d in m.defects],
    }


def feed(path):
    import feedparser

    feed = feedparser.parse(path.read_bytes())
    return {
        "version": feed.version,
        "broken": bool(feed.bozo),
        "title": feed.feed.title,
        "entries": [{key: entry[key] for key in ("id", "title", "link", "updated")} for entry in feed.entries],
    }


def calendar(path):
    import icalendar

    calendar = icalendar.Calendar.from_ical(path.read_bytes())
    events = list(calendar.walk("VEVENT"))
    return {
        "errors": [str(e) for part in calendar.walk() for e in part.errors],
        "events": [
            {"uid": e["UID"], "summary": e["SUMMARY"], "day": e["DTSTART"].dt.isoformat(), "url": e["URL"]} for e in events
        ],
    }


kind, path = sys.argv[1], pathlib.Path(sys.argv[2])
if kind == "mails":
    result = [mail(p) for p in sorted(path.glob("*.eml"))]
else:
    result = {"feed": feed, "calendar": calendar}[kind](path)
json.dump(result, sys.stdout)
