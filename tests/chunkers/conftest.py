"""Tokenizers of the kinds that models have, made here from six scripts, and what a chunker sees of an encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

TRAINING = [
    "The boundary layer of a flat plate grows with the distance from its leading edge. Dr. Smith disagrees!",
    "Пограничный слой на плоской пластине растёт с расстоянием от передней кромки. Почему?",
    "平板的边界层随着与前缘的距离而增长。为什么会这样？因为黏性。",
    "تنمو الطبقة الحدودية على صفيحة مستوية مع المسافة من الحافة الأمامية. لماذا؟",
    "समतल प्लेट की सीमा परत अग्रणी किनारे से दूरी के साथ बढ़ती है। क्यों?",
    "🙂👨‍👩‍👧‍👦 naïve café e\u0301le\u0300ve 🇩🇪🇫🇷 👍🏽 𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
] * 3


@dataclass(frozen=True)
class Measures:
    """All that a chunker uses of an encoder."""

    document_capacity: int
    tokenizer: Tokenizer | Callable[[str], int]

    def count(self, text: str) -> int:
        if callable(self.tokenizer):
            return self.tokenizer(text)
        return len(self.tokenizer.encode(text, add_special_tokens=False).ids)


def word_piece() -> Tokenizer:
    """Every second word of the texts is known, every letter too; the vocabulary is the same in every run."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    text = tokenizer.normalizer.normalize_str(" ".join(TRAINING))
    words = sorted({word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)})
    letters = sorted(set("".join(words)))
    tokens = dict.fromkeys(["[UNK]", *letters, *(f"##{letter}" for letter in letters), *words[::2]])
    tokenizer.model = models.WordPiece({token: number for number, token in enumerate(tokens)}, unk_token="[UNK]")
    return tokenizer


def byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(TRAINING, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet))
    return tokenizer


def unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=300, unk_token="<unk>", special_tokens=["<unk>"])
    tokenizer.train_from_iterator(TRAINING, trainer)
    return tokenizer


def words_of_four(text: str) -> int:
    """A counting function: a token for each four letters of a word."""
    return sum(-(-len(word) // 4) for word in text.split())


TOKENIZERS: dict[str, Callable[[], Tokenizer | Callable[[str], int]]] = {
    "word_piece": word_piece,
    "byte_level": byte_level,
    "unigram": unigram,
    "function": lambda: words_of_four,
}


@pytest.fixture(scope="session")
def measures_of() -> Callable[..., Measures]:
    """``measures_of(capacity, kind="word_piece")``: an encoder as a chunker sees it."""
    made: dict[str, Tokenizer | Callable[[str], int]] = {}

    def make(capacity: int, kind: str = "word_piece") -> Measures:
        if kind not in made:
            made[kind] = TOKENIZERS[kind]()
        return Measures(capacity, made[kind])

    return make
