"""Reading a page: its document without a browser, its tokens as they are written."""

import base64
import gzip
import itertools
import json
import re
from html.parser import HTMLParser


class Document(HTMLParser):
    """The scripts of a page by id, its metas by name, its links, images and visible text."""

    def __init__(self, text):
        super().__init__()
        self.scripts, self.metas, self.links, self.images, self.tags = {}, {}, [], [], []
        self.text, self.at = "", None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given_ = dict(attributes)
        self.tags.append(tag)
        if tag in ("script", "style"):
            self.at = given_.get("id", tag)
            self.scripts[self.at] = ""
        if tag == "meta" and "name" in given_:
            self.metas[given_["name"]] = given_["content"]
        if tag == "a":
            self.links.append(given_["href"])
        if tag == "img":
            self.images.append(given_["src"])

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self.at = None

    def handle_data(self, data):
        if self.at:
            self.scripts[self.at] += data
        else:
            self.text += data

    def open(self, name):
        return json.loads(gzip.decompress(base64.b64decode(self.scripts[name])))

    def chunks(self, kind):
        names = itertools.takewhile(self.scripts.__contains__, (f"{kind}{i}" for i in range(999)))
        return [body for name in names for body in self.open(name)]


def at(tab, feature):
    """Wait until a feature is in view."""
    tab.wait_for_selector(f'body[data-feature="{feature}"]', timeout=10_000)


def spelt(token, everything=False):
    """A token as the page writes it."""
    if token == "":
        return "◌"
    text = token.replace("\n", "↵").replace("\t", "⇥")
    text = re.sub(r"[\x00-\x1f]", lambda m: chr(0x2400 + ord(m[0])), text)
    text = re.sub("[\u200e\u200f\u202a-\u202e\u2066-\u2069]", "⇄", text)
    if everything or not text.strip():
        return text.replace(" ", "␣")
    return re.sub(r" {2,}| $", lambda m: "␣" * len(m[0]), text)


def ids(world):
    return world["features"]["feature"].to_pylist()
