"""An SMTP server on loopback that keeps what it receives, spoken to by a line of JSON at a time.

    python smtp.py PORT

Its first line names the port, a free one for 0. It knows {"do": "mails"}, which answers everything received so far, and
{"do": "reply", "reply": "450 not now"}, from which on it answers every RCPT so; null lets them pass again.
"""

import asyncio
import email
import email.policy
import json
import sys

from aiosmtpd.smtp import SMTP


class Mailbox:
    def __init__(self):
        self.mails = []
        self.reply = None

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.reply is not None:
            return self.reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append(
            {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "subject": message["subject"],
                "text": message.get_content(),
            }
        )
        return "250 OK"


def say(what):
    print(json.dumps(what), flush=True)


async def main(port):
    loop = asyncio.get_running_loop()
    mailbox = Mailbox()
    server = await loop.create_server(lambda: SMTP(mailbox, loop=loop, hostname="localhost"), "127.0.0.1", port)
    say({"port": server.sockets[0].getsockname()[1]})
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        if asked["do"] == "mails":
            say({"mails": mailbox.mails})
        elif asked["do"] == "reply":
            mailbox.reply = asked["reply"]
            say({})
        else:
            raise SystemExit(f"unknown: {line}")


asyncio.run(main(int(sys.argv[1])))
