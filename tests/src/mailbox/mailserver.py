#!/usr/bin/python3
"""A mail server on loopback for the tests of announcements.

mailserver.py FOLDER: takes mail on a free port of 127.0.0.1, prints the port, and keeps each message as FOLDER/NUMBER.eml
and whom it was for as FOLDER/NUMBER.to.

FOLDER/rules is read anew for every recipient. Its lines: `refuse ADDRESS` (there is no such mailbox), `later ADDRESS`
(try again later), `silent ADDRESS` (no answer; FOLDER/silent says that somebody waits for one).
"""

import asyncio
import pathlib
import sys

from aiosmtpd.smtp import SMTP


class Handler:
    def __init__(self, folder):
        self.folder = folder
        self.taken = 0

    def rule(self, address):
        rules = self.folder / "rules"
        lines = rules.read_text().splitlines() if rules.exists() else []
        return next((word for word, who in map(str.split, lines) if who == address), None)

    async def handle_RCPT(self, server, session, envelope, address, options):
        rule = self.rule(address)
        if rule == "refuse":
            return "550 no such mailbox"
        if rule == "later":
            return "451 try again later"
        if rule == "silent":
            (self.folder / "silent").write_text(address)
            await asyncio.Event().wait()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.taken += 1
        (self.folder / f"{self.taken:03}.to").write_text("\n".join(envelope.rcpt_tos))
        new = self.folder / "new"
        new.write_bytes(envelope.original_content)
        new.rename(self.folder / f"{self.taken:03}.eml")
        return "250 taken"


async def serve(folder):
    handler = Handler(folder)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, hostname="mail.test", loop=loop), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(serve(pathlib.Path(sys.argv[1])))
