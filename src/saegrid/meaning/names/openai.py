"""A namer that asks a server with the interface of OpenAI (chat completions), over HTTP or HTTPS.

The key comes from the environment variable that the config names. It is sent to the server of the
config alone, redirections are not followed, and wherever it comes back in an answer it is blotted
out.
"""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from saegrid.base.errors import ConfigError
from saegrid.meaning.names.answers import Answers
from saegrid.meaning.names.asked import Asked, Question, Unanswered

LARGEST = 4 << 20
"""Bytes of an answer that are read."""
PASSING = (408, 409, 425, 429, 500, 502, 503, 504, 529)
"""Status codes after which the question is asked again."""
LONGEST_WAIT = 60.0
"""Seconds between two tries, at most."""
BLOT = "***"


class _Stay(urllib.request.HTTPRedirectHandler):
    """A handler that follows no redirection, which would carry the key to another server."""

    def redirect_request(self, *asked: Any) -> None:
        """No further request."""


class OpenAI(Asked):
    """The namer.

    base_url: address below which `/chat/completions` lies. key: environment variable of the key,
    None where the server wants none. timeout: seconds for one answer as a whole. retries: further
    tries of a question. options: further keys of the body, such as temperature.
    """

    def __init__(
        self,
        folder: str,
        model: str,
        base_url: str,
        key: str | None = None,
        timeout: float = 60.0,
        retries: int = 3,
        at_once: int = 4,
        batch: int = 8,
        options: Mapping[str, Any] | None = None,
        backoff: float = 1.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.body = {"model": model, "temperature": 0, **(options or {})}
        super().__init__(Answers(folder, {"namer": "openai", **self.body}))
        self.url = base_url.rstrip("/") + "/chat/completions"
        self.timeout, self.retries, self.backoff, self.sleep = timeout, retries, backoff, sleep
        self.at_once, self.batch = at_once, batch
        self._key = secret(key)
        self._opener = urllib.request.build_opener(_Stay)

    def send(self, question: Question) -> str:
        """The text of the first choice; a passing failure is tried again, after twice the wait."""
        for attempt in range(self.retries + 1):
            try:
                return self._blotted(content(self._post(question)))
            except _Passing as problem:
                if attempt == self.retries:
                    raise Unanswered(str(problem), gone=True) from None
                self.sleep(min(problem.wait or self.backoff * 2**attempt, LONGEST_WAIT))
        raise AssertionError

    def _post(self, question: Question) -> str:
        """The body of the server's answer."""
        messages = [{"role": "user", "content": question.prompt}]
        limit = {} if "max_completion_tokens" in self.body else {"max_tokens": question.most}
        body = {**limit, **self.body, "messages": messages, "stream": False}
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self.url, json.dumps(body).encode(), headers)
        until = time.monotonic() + self.timeout
        try:
            with self._opener.open(request, timeout=self.timeout) as response:
                return self._blotted(_read(response, until, self.timeout))
        except urllib.error.HTTPError as problem:
            with problem:
                self._refused(problem)
        except TimeoutError:
            raise _Passing(f"no answer within {self.timeout:g} s") from None
        except (OSError, http.client.HTTPException) as problem:
            reason = getattr(problem, "reason", problem)
            if isinstance(reason, TimeoutError):
                raise _Passing(f"no answer within {self.timeout:g} s") from None
            what = self._blotted(str(reason) or type(problem).__name__)
            raise _Passing(f"the server cannot be reached: {what}") from None

    def _refused(self, problem: urllib.error.HTTPError) -> NoReturn:
        code = problem.code
        try:
            text = problem.read(2000).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            text = ""
        line = " ".join(self._blotted(text).split())[:120]
        why = f"the server answers {code}" + (f": {line}" if line else "")
        if code in PASSING:
            after = problem.headers.get("Retry-After", "")
            raise _Passing(why, wait=float(after) if after.isdecimal() else None)
        if 300 <= code < 400:
            why = f"the server answers {code}, a redirection, which is not followed"
        # Keys, models and addresses that are wrong are so for every question.
        raise Unanswered(why, gone=code in (401, 403, 404) or code < 400)

    def _blotted(self, text: str) -> str:
        return text.replace(self._key, BLOT) if self._key else text


class _Passing(Exception):
    """A failure after which the question is worth asking again; wait: seconds that the server
    wants."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


def secret(key: str | None) -> str:
    """The content of the environment variable of a key; empty for None. ConfigError where it is
    not set."""
    if key is None:
        return ""
    value = os.environ.get(key, "").strip()
    if not value:
        raise ConfigError(
            f"analyses.names.key: the environment variable {key} must hold the key of the server; "
            "it is not set. Set it before the run, or leave `key` out if the server wants none."
        )
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise ConfigError(
            f"analyses.names.key: the environment variable {key} must hold a key of ASCII letters "
            "without blanks; it holds others. Set it anew."
        )
    return value


def content(text: str) -> str:
    """The text of the first choice in the body of an answer.

    Raises:
        _Passing: this is no JSON of that kind: a page of a gateway, half an answer.
        Unanswered: the model refuses, or says nothing.
    """
    try:
        choice = json.loads(text)["choices"][0]
        message = choice["message"]
        said, refusal = message.get("content"), message.get("refusal")
    except (ValueError, LookupError, TypeError, AttributeError):
        kind = "HTML" if text.lstrip()[:1] == "<" else "no JSON with choices"
        line = " ".join(text.split())[:60]
        raise _Passing(
            f"the answer is {kind}: {line!r}" if line else "the answer is empty"
        ) from None
    if refusal or choice.get("finish_reason") == "content_filter":
        raise Unanswered("the model refuses")
    if not isinstance(said, str) or not said.strip():
        raise Unanswered("the model answers with an empty text")
    return said


def _read(response: Any, until: float, timeout: float) -> str:
    """The body, while there is time; a server that sends a byte now and then is late too."""
    parts, size = [], 0
    while part := response.read1(1 << 16):
        parts.append(part)
        size += len(part)
        if size > LARGEST:
            raise _Passing(f"the answer is longer than {LARGEST:,} bytes")
        if time.monotonic() > until:
            raise _Passing(f"no answer within {timeout:g} s")
    return b"".join(parts).decode("utf-8", "replace")
