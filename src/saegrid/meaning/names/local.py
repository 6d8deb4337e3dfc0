"""A namer that is a causal model of Hugging Face in a local folder; no code of it is run.

A name is its greedy continuation. A context is judged by the more probable one of the answers yes
and no, so that a model that cannot write lists can be scored too. Prompts are run one by one: no
answer depends on others.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from saegrid.base.digest import content_digest
from saegrid.meaning.names import prompts
from saegrid.meaning.names.answers import Answers
from saegrid.meaning.names.asked import Asked, Question, Unanswered
from saegrid.meaning.names.namer import Case, Subject
from saegrid.models.files import files_read

YES, NO = " yes", " no"
LONGEST = 20
"""Tokens of a name."""
TOKENIZER = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "chat_template.jinja")


class Local(Asked):
    """The namer. folder: of the answers; model: folder of the model."""

    def __init__(self, folder: str, model: str, context: int | None = None) -> None:
        settings = {"namer": "local", "model": content(model), "context": context}
        super().__init__(Answers(folder, settings))
        self.model, self.context = model, context
        self._loaded: tuple[Any, Any] | None = None

    def naming(self, subject: Subject) -> Question:
        """The question for a name: the first line of what follows."""
        return Question(f"{prompts.naming(subject)}\nAnswer:", _first_line, LONGEST)

    def judging(self, case: Case) -> Question:
        """The question of whether one context fits a name."""
        prompt = f"{prompts.judging(case)}\nAnswer yes or no:"
        return Question(prompt, _read_choice, 0)

    def send(self, question: Question) -> str:
        """The greedy continuation, or where nothing is to be written the likelier of yes and no."""
        import torch

        tokenizer, _ = self._load()
        with torch.inference_mode():
            ids = self._ids(question.prompt, question.most)
            if question.most:
                return self._continued(ids, question.most)
            yes, no = self._likelihoods(ids, tokenizer, (YES, NO))
        if math.isnan(yes) or math.isnan(no):
            raise Unanswered("the model's probabilities are not numbers")
        return f"[{int(yes > no)}]"

    def _continued(self, ids: Any, most: int) -> str:
        """The greedy continuation of a prompt (1, token)."""
        import torch

        tokenizer, model = self._load()
        options = {"do_sample": False, "num_beams": 1, "max_new_tokens": most}
        end = tokenizer.eos_token_id
        out = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), pad_token_id=end or 0, **options
        )
        return tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)

    def _likelihoods(self, ids: Any, tokenizer: Any, texts: Sequence[str]) -> list[float]:
        """Log-probability of each text after a prompt (1, token): the sum over its tokens. One pass
        does for all texts of one token."""
        import torch

        _, model = self._load()
        first = model(ids).logits[0, -1:]
        sums = []
        for text in texts:
            more = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
            logits = first
            if more.shape[1] > 1:
                logits = model(torch.cat([ids, more], dim=1)).logits[0, ids.shape[1] - 1 : -1]
            chosen = torch.log_softmax(logits.double(), dim=-1).gather(1, more[0][:, None])
            sums.append(float(chosen.sum()))
        return sums

    def _ids(self, prompt: str, most: int) -> Any:
        """(1, token) the tokens of a prompt, in the model's chat format where it has one; of one
        that is too long for the model the last ones, with the question."""
        tokenizer, model = self._load()
        if tokenizer.chat_template:
            messages = [{"role": "user", "content": prompt}]
            ids = tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )["input_ids"]
        else:
            ids = tokenizer(prompt, return_tensors="pt").input_ids
        room = self.context or getattr(model.config, "max_position_embeddings", 0)
        room = room - max(most, 8) if room else ids.shape[1]
        return ids if ids.shape[1] <= room else ids[:, -room:]

    def _load(self) -> tuple[Any, Any]:
        """Tokenizer and model, read when the first question is asked."""
        if self._loaded is None:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer

            options = {"local_files_only": True, "trust_remote_code": False}
            tokenizer = AutoTokenizer.from_pretrained(self.model, **options)
            model = AutoModelForCausalLM.from_pretrained(
                self.model, use_safetensors=True, dtype=torch.float32, **options
            )
            self._loaded = tokenizer, model.eval()
        return self._loaded


def content(model: str) -> str:
    """The content of a model's folder, its tokenizer among it; CheckpointError where it is none."""
    names = [*files_read(model), *(n for n in TOKENIZER if (Path(model) / n).is_file())]
    return content_digest(model, names)


def _first_line(text: str) -> str:
    lines: Sequence[str] = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError("the model answers with an empty text")
    return prompts.clean(lines[0])


def _read_choice(text: str) -> list[bool]:
    return prompts.read_list(text, 1)
