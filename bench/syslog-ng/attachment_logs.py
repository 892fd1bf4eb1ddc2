"""A fetcher for syslog-ng that reads the benchmark's API page by page: what one would write to do without a forwarder.

The place to go on from is a page token. It is kept in syslog-ng's persist file when the destination has taken the page's last
record, so that a restart repeats a page rather than losing one.
"""

import http.client
import json

from syslogng import BatchedAckTracker, LogFetcher, LogMessage, Persist

PATH = "/api/ttp/attachment/get-logs"
HEADERS = {"Authorization": "Bearer bench", "Content-Type": "application/json"}


class AttachmentLogs(LogFetcher):
    def init(self, options):
        self.connection = http.client.HTTPConnection("127.0.0.1", int(options["port"]), timeout=30)
        self.place = Persist("attachment_logs", defaults={"token": ""})
        self.token = self.place["token"]
        self.at_end = False
        self.waiting = []
        # The place is kept once for many records.
        self.ack_tracker = BatchedAckTracker(timeout=1000, batch_size=500, batched_ack_callback=self.keep_place)
        return True

    def fetch(self):
        if not self.waiting and not self.at_end:
            self.read_page()
        if not self.waiting:
            return LogFetcher.FETCH_NO_DATA, None
        text, token = self.waiting.pop()
        message = LogMessage(text)
        message.set_bookmark(token)
        return LogFetcher.FETCH_SUCCESS, message

    def read_page(self):
        pagination = {"pageSize": 500}
        if self.token:
            pagination["pageToken"] = self.token
        body = json.dumps({"meta": {"pagination": pagination}, "data": [{}]})
        self.connection.request("POST", PATH, body, HEADERS)
        page = json.loads(self.connection.getresponse().read())
        following = page["meta"]["pagination"].get("next")
        self.at_end = following is None
        self.token = following or self.token
        records = page["data"][0]["attachmentLogs"]
        # Last first, since they are popped. Only the last record of a page brings a token worth keeping.
        self.waiting = [(json.dumps(record, ensure_ascii=False), "") for record in reversed(records)]
        if self.waiting:
            self.waiting[0] = (self.waiting[0][0], self.token)

    def keep_place(self, tokens):
        for token in tokens:
            if token:
                self.place["token"] = token
