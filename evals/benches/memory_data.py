"""Texts with vectors to keep, and queries of which it is known what they are about.

A text has 5 to 20 words: stop words, words by Zipf's law, words of its topic, names and numbers. Its vector has
length 1 and lies about the centre of its topic. A query is a vector that was disturbed, and half of the words of its
text beside words of another; neither finds it every time.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

EARLY = 2000
"""Half of the queries are about templates before this one, so that a store that holds no more can be judged too."""

_TOPICS, _TOPIC_WORDS, _WORDS, _NAMES, _NUMBERS = 256, 40, 20_000, 2_000, 5_000
_STOP_WORDS = "the of and to in is was for on with at by from that it as be are this has had not her his"
_EVERYDAY = """
ask bag badge blue bread bring call chair clean close coffee cold cup doctor door drink evening fever find floor garden
give glass green hand hear help house keep key kitchen lamp letter light lunch milk morning name nurse open paper
patient phone pill please quiet read red right room shelf sister sleep soup speak station street table tea towel train
visit visitor walk ward warm wash water week window write
"""
_ONSETS, _VOWELS = "b br ch d f fl g gr h j k l m n p pr r s st t tr v w z", "a e i o u ea ou"
_SHARES = (0.30, 0.25, 0.31, 0.09, 0.05)  # of stop words, words of the topic, words of any, names, numbers
_SPREAD, _DISTURBED = 1.0, 1.3  # lengths of what is added to a centre, and to a vector that is asked for
_CHUNK = 1 << 14


@final
@dataclass(frozen=True, kw_only=True)
class Query:
    """Something to look for.

    Attributes:
        text: words of the text that it is about, and others.
        about: the place of that text.
    """

    text: str
    about: int


@final
class Sample:
    """What :func:`draw_sample` left in a folder; vectors are read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        """Open the files."""
        facts = json.loads((folder / "sample.json").read_text())
        self.width: int = facts["width"]
        self.queries = [Query(**each) for each in facts["queries"]]
        self.texts = (folder / "texts.txt").read_text().splitlines()
        self._folder = folder

    def ids(self, start: int, stop: int) -> list[str]:
        """Return the ids of the texts from ``start`` to before ``stop``."""
        return [f"t{number}" for number in range(start, stop)]

    def vectors(self, start: int, stop: int) -> Floats:
        """Return the vectors of the texts from ``start`` to before ``stop``."""
        return self._read("vectors.f32", start, stop)

    def query_vectors(self) -> Floats:
        """Return the vectors of all queries."""
        return self._read("queries.f32", 0, len(self.queries))

    def _read(self, name: str, start: int, stop: int) -> Floats:
        count, offset = (stop - start) * self.width, start * self.width * 4
        return np.fromfile(self._folder / name, np.float32, count, offset=offset).reshape(-1, self.width)


def draw_sample(folder: Path, count: int, queries: int, *, among: int, width: int = 384, seed: int = 0) -> None:
    """Draw texts, vectors and queries, and write them to a folder.

    Args:
        folder: where to; exists.
        count: how many texts.
        queries: how many queries.
        among: they are about the first so many texts.
        width: of the vectors.
        seed: of all that is drawn.

    Raises:
        ValueError: a number is below 1, or ``among`` is more than ``count``.
    """
    if min(count, queries, among, width) < 1 or among > count:
        raise ValueError(
            f"count, queries, among and width must be at least 1, and among at most count; "
            f"got {count}, {queries}, {among} and {width}"
        )
    generator = np.random.default_rng(seed)
    topics = generator.integers(_TOPICS, size=count)
    texts = _Texts(generator).draw(topics)
    (folder / "texts.txt").write_text("\n".join(texts) + "\n")
    early = min(EARLY, among)
    about = np.where(np.arange(queries) % 2, generator.integers(among, size=queries), 0)
    about[::2] = generator.integers(early, size=len(about[::2]))
    asked = np.empty((queries, width), np.float32)
    with (folder / "vectors.f32").open("wb") as file:
        lie = _Lie(generator, width)
        for start in range(0, count, _CHUNK):
            vectors = lie.about(lie.centres[topics[start : start + _CHUNK]], _SPREAD)
            vectors.tofile(file)
            here = np.flatnonzero((about >= start) & (about < start + _CHUNK))
            asked[here] = vectors[about[here] - start]
    lie.about(asked, _DISTURBED).tofile(folder / "queries.f32")
    drawn = [Query(text=_question(generator, texts[place], texts), about=place) for place in about.tolist()]
    facts = {"width": width, "queries": [asdict(each) for each in drawn]}
    (folder / "sample.json").write_text(json.dumps(facts))


def english_texts(count: int, seed: int = 0) -> list[str]:
    """Return texts of 5 to 20 everyday English words, for an encoder: made-up words would cost it more."""
    generator = np.random.default_rng(seed)
    everyday = [*_EVERYDAY.split(), *_STOP_WORDS.split(" ")]
    return [" ".join(generator.choice(everyday, size)) for size in generator.integers(5, 21, size=count).tolist()]


def _question(generator: np.random.Generator, text: str, texts: list[str]) -> str:
    words = text.split(" ")
    kept = [words[place] for place in sorted(generator.permutation(len(words))[: (len(words) + 1) // 2].tolist())]
    others = texts[int(generator.integers(len(texts)))].split(" ")[:4]
    return " ".join(kept + others)


class _Lie:
    """How vectors lie: the numbers that disturb them fall as ``j ** -0.5`` along one rotation."""

    def __init__(self, generator: np.random.Generator, width: int) -> None:
        self.generator = generator
        spectrum = np.arange(1, width + 1, dtype=np.float32) ** -0.5
        rotation = np.linalg.qr(generator.standard_normal((width, width), dtype=np.float32))[0]
        self.shape = (spectrum / np.linalg.norm(spectrum))[:, None] * rotation
        centres = generator.standard_normal((_TOPICS, width), dtype=np.float32)
        self.centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)

    def about(self, vectors: Floats, far: float) -> Floats:
        """Return vectors of length 1 that are about ``far`` from these before they are scaled."""
        drawn = self.generator.standard_normal(vectors.shape, dtype=np.float32) @ self.shape
        moved: Floats = vectors + far * drawn
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
        return moved


class _Texts:
    """The words there are, by the place where each sort of them begins."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator
        made = _made_words(generator, _WORDS + _NAMES)
        words, names = made[:_WORDS], [name.capitalize() for name in made[_WORDS:]]
        stop_words = _STOP_WORDS.split(" ")
        self.vocabulary = [*stop_words, *words, *names, *map(str, range(_NUMBERS))]
        self.any = len(stop_words)
        self.name = self.any + _WORDS
        self.number = self.name + _NAMES
        self.topic = self.any + generator.integers(_WORDS, size=(_TOPICS, _TOPIC_WORDS))

    def draw(self, topics: NDArray[np.int64]) -> list[str]:
        """Return a text for each topic, all different."""
        texts = [""] * len(topics)
        seen: set[str] = set()
        for start in range(0, len(topics), _CHUNK):
            empty = list(range(start, min(start + _CHUNK, len(topics))))
            while empty:  # what was drawn before is drawn anew
                for place, text in zip(empty, self._draw(topics[empty]), strict=True):
                    if text not in seen:
                        seen.add(text)
                        texts[place] = text
                empty = [place for place in empty if not texts[place]]
        return texts

    def _draw(self, topics: NDArray[np.int64]) -> list[str]:
        generator = self.generator
        lengths = generator.integers(5, 21, size=len(topics))
        ends = np.cumsum(lengths)
        total = int(ends[-1])
        sort = generator.choice(len(_SHARES), size=total, p=_SHARES)
        topic = np.repeat(topics, lengths)
        drawn = np.choose(
            sort,
            [
                _zipf(generator, self.any, total),
                self.topic[topic, _zipf(generator, _TOPIC_WORDS, total)],
                self.any + _zipf(generator, _WORDS, total),
                self.name + _zipf(generator, _NAMES, total),
                self.number + generator.integers(_NUMBERS, size=total),
            ],
        ).tolist()
        words = [self.vocabulary[each] for each in drawn]
        return [
            " ".join(words[end - length : end]) for end, length in zip(ends.tolist(), lengths.tolist(), strict=True)
        ]


def _zipf(generator: np.random.Generator, count: int, size: int) -> NDArray[np.int64]:
    """Return ranks below ``count``, each with a probability as ``1 / (rank + 1)``."""
    total = np.cumsum(1.0 / np.arange(1, count + 1))
    ranks: NDArray[np.int64] = np.searchsorted(total, generator.random(size) * total[-1])
    return ranks


def _made_words(generator: np.random.Generator, count: int) -> list[str]:
    """Return different words that can be spoken, of one to three syllables."""
    onsets, vowels = _ONSETS.split(" "), _VOWELS.split(" ")
    words: dict[str, None] = {}
    while len(words) < count:
        shape = (2 * count, 3)
        drawn = zip(
            generator.integers(1, 4, size=shape[0]).tolist(),
            generator.integers(len(onsets), size=shape).tolist(),
            generator.integers(len(vowels), size=shape).tolist(),
            generator.choice(list("nrsdly"), shape[0]).tolist(),
            strict=True,
        )
        for syllables, first, second, end in drawn:
            said = "".join(onsets[first[place]] + vowels[second[place]] for place in range(syllables))
            words[said + end] = None
    return list(words)[:count]
