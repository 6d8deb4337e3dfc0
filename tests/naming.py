"""A made corpus with features whose words are known, namers that know or guess them, and a server
of names on the loopback."""

import http.server
import json
import threading
import time
from contextlib import contextmanager

import numpy as np
import pyarrow as pa

from saegrid.base.words import SIDES
from saegrid.codes.sparse import from_pairs
from saegrid.meaning.names import contexts, prompts
from saegrid.meaning.names.namer import Answer, Calls

WORDS = {
    "animals": ["cat", "dog", "horse", "cow", "goat", "cub", "calf", "bee"],
    "foods": ["pie", "cake", "bread", "soup", "corn", "bean", "plum", "cheese"],
    "clothes": ["hat", "coat", "shirt", "sock", "glove", "cap", "belt", "boot"],
    "tools": ["saw", "hammer", "drill", "bolt", "clamp", "hoe", "pliers", "crane"],
}
TOPICS = list(WORDS)
FILLER = ["the", "a", "old", "new", "said", "big", "small", "with", "from", "near"]
PER = 120
"""Texts of each topic."""


def corpus(seed=0, paired=True):
    """Tokens, features and edits: feature k fires on the words of topic k, the more the later the
    word stands in the list, and on no other; feature 4 on nothing. Each fourth filler was
    captured, and is silent."""
    rng = np.random.default_rng(seed)
    columns = {name: [] for name in ("row", "position", "text", "item", "in_edit", "special")}
    fires, edits = [], []
    for item in range(PER * len(TOPICS)):
        topic = item % len(TOPICS)
        place = int(rng.integers(len(WORDS[TOPICS[topic]])))
        word, at = WORDS[TOPICS[topic]][place], int(rng.integers(1, 6))
        words = [str(rng.choice(FILLER)) for _ in range(7)]
        words[at] = word
        edits.append(word)
        for position, text in enumerate(["<bos>", *words]):
            is_word = position == at + 1
            if is_word:
                fires.append((topic, len(columns["row"]), 1.0 + place + rng.random()))
            values = (item, position, text if position < 2 else " " + text)
            values += (item if position else -1, is_word, position == 0)
            for name, value in zip(columns, values, strict=True):
                columns[name].append(value)
    n = len(columns["row"])
    side = "edited" if paired else "plain"
    table = {name: pa.array(values) for name, values in columns.items()}
    table["group"] = table["item"]
    table["side"] = pa.DictionaryArray.from_arrays(
        np.full(n, SIDES.index(side), np.int8), list(SIDES)
    )
    in_edit, special = np.array(columns["in_edit"]), np.array(columns["special"])
    captured = np.flatnonzero((in_edit | (np.arange(n) % 4 == 0)) & ~special)
    feature, token, value = map(np.array, zip(*fires, strict=True))
    features = from_pairs(feature, token, value.astype(np.float32), captured, 5)
    return pa.table(table), features, edits if paired else None


def material(seed=0, paired=True):
    tokens, features, edits = corpus(seed, paired)
    kept = np.ones(PER * len(TOPICS), bool)
    return contexts.material(features, tokens, kept, edits, seed=seed)


def draws(of, n=4, **settings):
    """The contexts of the first n features."""
    how = contexts.Settings(**{"n_scored": 12, **settings})
    return {f: contexts.draw(of, f, {}, how) for f in range(n)}


class Knowing:
    """A namer that names features by the topic that they are of, and judges by its words."""

    batch = 1

    def name(self, subjects):
        return [Answer(TOPICS[subject.feature]) for subject in subjects]

    def known(self, subject):
        return TOPICS[subject.feature]

    def calls(self, subjects, cases):
        return Calls()

    def judge(self, cases):
        return [[Answer(c.marked in WORDS[case.name]) for c in case.contexts] for case in cases]


def knows(prompt):
    """The answer of a model that knows all topics to a question of this package."""
    shown = [line for line in prompt.splitlines() if prompts.OPEN in line and ": " in line]
    shown = [line for line in shown if line[0].isdigit()]
    marked = [line.split(prompts.OPEN)[1].split(prompts.CLOSE)[0] for line in shown]
    if prompt.startswith(prompts.NAMING):
        topic = next(t for t in TOPICS if marked[0] in WORDS[t])
        return json.dumps({"name": topic})
    topic = next(t for t in TOPICS if f": {t}\n" in prompt)
    return json.dumps([int(word in WORDS[topic]) for word in marked])


def said(text, **more):
    """The body of a server's answer."""
    message = {"role": "assistant", "content": text, **more}
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})


class Served:
    """A server with its answers and the questions that it was asked."""

    def __init__(self, answer):
        self.answer = answer
        """Function of the number of the question and the prompt: (status, body, headers)."""
        self.asked, self.headers, self.bodies = [], [], []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        self.url = ""


def handler(served):
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = body["messages"][0]["content"]
            with served.lock:
                served.asked.append(prompt)
                served.headers.append(dict(self.headers))
                served.bodies.append(body)
                number = len(served.asked) - 1
                served.at_once += 1
                served.most_at_once = max(served.most_at_once, served.at_once)
            try:
                status, text, headers = served.answer(number, prompt)
            finally:  # before the answer is sent: who has it may ask again at once
                with served.lock:
                    served.at_once -= 1
            try:
                content = text.encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if "X-Drip" in headers:
                    for byte in content:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        time.sleep(0.05)
                else:
                    self.wfile.write(content)
            except OSError:  # who asked is gone
                self.close_connection = True

    return Handler


def good(number, prompt):
    return 200, said(knows(prompt)), {}


@contextmanager
def serve(answer=good):
    """A running server of names."""
    served = Served(answer)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(served))
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()


def tiny_llama(folder, **tokenizer_settings):
    """The folder of a Llama of one layer with random weights, whose tokens are words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = ["<unk>", "</s>", "yes", "no", "Answer", ":", *FILLER]
    words += [word for several in WORDS.values() for word in several]
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(words))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = {"unk_token": "<unk>", "eos_token": "</s>"}
    whole = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
    whole.chat_template = tokenizer_settings.get("chat_template")
    whole.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    config = LlamaConfig(vocab_size=len(vocabulary), max_position_embeddings=512, **sizes, **heads)
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)
