from __future__ import annotations

import numpy as np
import pytest

from evals.benches.memory_data import EARLY, Sample, draw_sample, english_texts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Draw enough to need two chunks."""
    made = tmp_path_factory.mktemp("sample")
    draw_sample(made, 20_000, 200, among=19_000, width=64, seed=3)
    return made


@pytest.fixture(scope="module")
def sample(folder):
    return Sample(folder)


def test_texts_are_different_and_of_5_to_20_words(sample):
    assert len(set(sample.texts)) == len(sample.texts) == 20_000
    assert {len(text.split(" ")) for text in sample.texts} == set(range(5, 21))


def test_words_follow_zipf_and_there_are_names_and_numbers(sample):
    words = [word for text in sample.texts for word in text.split(" ")]
    numbers, names = sum(word.isdigit() for word in words), sum(word[0].isupper() for word in words)
    assert 0.04 < numbers / len(words) < 0.06
    assert 0.08 < names / len(words) < 0.10
    counted = np.sort(np.unique(words, return_counts=True)[1])[::-1]
    assert counted[0] > 5 * counted[20]
    assert (counted == 1).sum() > 1000


def test_vectors_have_length_1_and_are_read_in_parts(sample):
    vectors = sample.vectors(0, 20_000)
    assert (vectors.shape, vectors.dtype) == ((20_000, 64), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(sample.vectors(16_000, 17_000), vectors[16_000:17_000])
    assert sample.ids(5, 8) == ["t5", "t6", "t7"]


def test_a_query_is_nearer_to_what_it_is_about_and_has_some_of_its_words(sample):
    about = np.array([query.about for query in sample.queries])
    asked, vectors = sample.query_vectors(), sample.vectors(0, 20_000)
    cosines = asked @ vectors.T
    own = cosines[np.arange(200), about]
    assert np.median((cosines < own[:, None]).mean(axis=1)) > 0.95
    for query in sample.queries:
        words, text = query.text.split(" "), sample.texts[query.about].split(" ")
        assert len(set(words) & set(text)) >= len(set(text)) // 3
        assert len(words) == (len(text) + 1) // 2 + 4


def test_half_of_the_queries_are_about_early_texts_and_none_about_the_rest(sample):
    about = np.array([query.about for query in sample.queries])
    assert about.max() < 19_000
    assert about[::2].max() < EARLY
    assert (about[1::2] > EARLY).mean() > 0.7


def test_words_and_vectors_share_topics(sample):
    """Texts whose vectors are near have more words in common than texts at large."""
    vectors = sample.vectors(0, 4000)
    cosines = vectors[:200] @ vectors.T
    cosines[np.arange(200), np.arange(200)] = np.nan
    words = [{word for word in text.split(" ") if len(word) > 3} for text in sample.texts[:4000]]
    near = [len(words[one] & words[other]) for one, other in enumerate(np.nanargmax(cosines, axis=1))]
    far = [len(words[one] & words[other]) for one, other in enumerate(np.nanargmin(cosines, axis=1))]
    assert sum(near) > 2 * sum(far)


def test_the_same_seed_draws_the_same_and_another_does_not(tmp_path):
    drawn = []
    for number, seed in enumerate((1, 1, 2)):
        made = tmp_path / str(number)
        made.mkdir()
        draw_sample(made, 100, 10, among=50, width=8, seed=seed)
        drawn.append({file.name: file.read_bytes() for file in made.iterdir()})
    assert drawn[0] == drawn[1]
    assert all(drawn[0][name] != drawn[2][name] for name in drawn[0])


@pytest.mark.parametrize("wrong", [{"count": 0}, {"queries": 0}, {"among": 0}, {"among": 11}, {"width": 0}])
def test_wrong_numbers_are_named(wrong, tmp_path):
    numbers = {"count": 10, "queries": 2, "among": 10, "width": 4, **wrong}
    with pytest.raises(ValueError, match="must be at least 1, and among at most count; got"):
        draw_sample(tmp_path, numbers["count"], numbers["queries"], among=numbers["among"], width=numbers["width"])


def test_english_texts_repeat_with_their_seed():
    texts = english_texts(20, seed=4)
    assert texts == english_texts(20, seed=4) != english_texts(20, seed=5)
    assert all(5 <= len(text.split(" ")) <= 20 for text in texts)
