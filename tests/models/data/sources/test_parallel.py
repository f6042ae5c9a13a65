from __future__ import annotations

import gzip
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nettuner.models.data import preprocessing
from nettuner.models.data.load import load
from nettuner.models.data.preprocessing import (
    BEGIN,
    END,
    JOINER,
    PAD,
    SPECIAL,
    UNKNOWN,
    Preprocessing,
    Vocabulary,
    detokenise,
    tokenise,
)
from nettuner.models.data.sources.parallel import Parallel
from nettuner.models.data.vocabulary import fit_vocabulary, learn_merges

REAL = Path(__file__).parents[5] / "shared" / "data" / "multi30k_ende"
J = JOINER
# Ten pairs of 3 to 6 tokens: "a dog ." once, "a dog dog ." ... up to four dogs, and so for cats.
NOUNS = [("dog", "Hund"), ("cat", "Katze")]
PAIRS = [
    (f"a {' '.join([en] * n)}.", f"ein {' '.join([de] * n)}.")
    for en, de in NOUNS
    for n in range(1, 6)
]


@pytest.fixture
def write(tmp_path):
    def write(name, lines):
        content = lines if isinstance(lines, bytes) else "".join(f"{x}\n" for x in lines).encode()
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return write


@pytest.fixture
def parallel(write):
    def parallel(pairs=PAIRS, **settings):
        return Parallel(
            source_text=write("text.en", [en for en, _ in pairs]),
            target_text=write("text.de", [de for _, de in pairs]),
            **{"min_count": 1, **settings},
        )

    return parallel


def refused(source):
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        load(source)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


# Tokens


@pytest.mark.parametrize(
    ("sentence", "tokens"),
    [
        ("Hello, world!", ["Hello", f"{J},", "world", f"{J}!"]),
        ("(a) b", [f"({J}", "a", f"{J})", "b"]),
        ("eighty-seven", ["eighty", f"{J}-{J}", "seven"]),
        ("it's 3.5 %", ["it", f"{J}'{J}", "s", "3", f"{J}.{J}", "5", "%"]),
        ("Äpfel ...", ["Äpfel", ".", f"{J}.", f"{J}."]),
        ("  ", []),
    ],
)
def test_words_and_punctuation_are_told_apart_and_put_together_again(sentence, tokens):
    assert tokenise(sentence) == tokens
    assert detokenise(tokens) == sentence.strip()


@given(st.text(max_size=40))
def test_any_sentence_is_put_together_again_but_for_its_spaces(sentence):
    plain = unicodedata.normalize("NFC", sentence.replace(J, " "))
    assert detokenise(tokenise(plain)) == " ".join(plain.split())


def test_frequent_words_come_first_and_rare_ones_are_unknown():
    text = ["b a a c", "a b d"]  # a: 3, b: 2, c and d: 1
    found = fit_vocabulary(text, subword=False, size=100, min_count=2, lowercase=False)
    assert found.tokens == (*SPECIAL, "a", "b")
    assert found.encode("b a c") == [5, 4, UNKNOWN]
    assert found.decode([5, 4, UNKNOWN, END, 4]) == "b a \N{DOUBLE QUESTION MARK}"
    capped = fit_vocabulary(text, subword=False, size=5, min_count=1, lowercase=False)
    assert capped.tokens == (*SPECIAL, "a")


def test_lower_case_makes_two_words_one():
    found = fit_vocabulary(["The the"], subword=False, size=100, min_count=2, lowercase=True)
    assert found.tokens == (*SPECIAL, "the")
    assert found.encode("THE") == [4]


def test_byte_pairs_are_joined_as_in_the_paper():
    # Sennrich et al. (2016), algorithm 1, but that here all letters except the last are marked.
    words = Counter({"low": 5, "lowest": 2, "newer": 6, "wider": 3})
    # e r at a word's end occurs 9 times, l o 7 times; then n e, e w and w er 6 times each.
    assert learn_merges(words, 3, 2) == [
        (f"e{J}", "r"),
        (f"l{J}", f"o{J}"),
        (f"e{J}", f"w{J}"),
    ]
    every = learn_merges(words, 100, 2)  # until all words are one piece
    known = Vocabulary((*SPECIAL,), tuple(every))
    assert [known._pieces(word) for word in words] == [[word] for word in words]
    assert known._pieces("slower") != ["slower"]
    assert detokenise(known._pieces("slower")) == "slower"


def test_merges_do_not_depend_on_the_order_of_words():
    words = {"low": 5, "lowest": 2, "newer": 6, "wider": 3, "lower": 3}
    assert learn_merges(Counter(words), 9, 1) == learn_merges(
        Counter(dict(reversed(words.items()))), 9, 1
    )


def test_pieces_spell_words_that_were_never_seen():
    text = ["siebenundachtzig dreiundvierzig", "siebenundvierzig", "achtzig drei und sieben"]
    found = fit_vocabulary(text, subword=True, size=60, min_count=1, lowercase=False)
    assert len(found.tokens) <= 60
    assert len(set(found.tokens)) == len(found.tokens)
    ids = found.encode("dreiundachtzig, sieben")
    assert found.decode(ids) == "dreiundachtzig \N{DOUBLE QUESTION MARK} sieben"  # no comma seen
    assert found.decode(found.encode("dreiundachtzig")) == "dreiundachtzig"
    assert len(found.encode("sieben")) == 1


# Data


def test_sentences_become_begun_ended_and_padded_tokens(parallel):
    data = load(parallel())
    assert (len(data.train), len(data.validation), len(data.test)) == (6, 2, 2)
    assert data.task == "translation"
    # The longest source has a, five nouns, a full stop, and its end; targets also begin.
    assert data.shape == (8,)
    assert data.train.targets.shape == (6, 9)
    assert data.train.inputs.dtype == data.train.targets.dtype == np.int64
    known = data.preprocessing.inputs
    assert data.outputs == len(known.target.tokens) == 4 + 4
    for part in (data.train, data.validation, data.test):
        for source, target in zip(part.inputs.tolist(), part.targets.tolist(), strict=True):
            pair = known.source.decode(source), known.target.decode(target)
            assert pair in PAIRS
            dogs = len(pair[0].split())
            assert target[0] == BEGIN
            assert source[dogs + 1 :] == [END] + [PAD] * (6 - dogs)
            assert target[dogs + 2 :] == [END] + [PAD] * (6 - dogs)


def test_a_sentence_that_occurs_twice_is_in_one_split_only(parallel):
    twice = [*PAIRS, *((en, de.replace("ein", "der")) for en, de in PAIRS)]
    data = load(parallel(twice))
    parts = [{tuple(row) for row in p.inputs} for p in (data.train, data.validation, data.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 10
    assert [len(p) for p in (data.train, data.validation, data.test)] == [12, 4, 4]


def test_the_vocabulary_knows_the_training_text_only(parallel, write):
    data = load(
        parallel(
            test_source_text=write("test.en", ["a bird."]),
            test_target_text=write("test.de", ["ein Vogel."]),
        )
    )
    assert len(data.train) == 8
    assert len(data.test) == 1
    assert UNKNOWN in data.test.inputs
    assert UNKNOWN not in data.train.inputs
    assert "bird" not in data.preprocessing.inputs.source.tokens


def test_published_texts_replace_shares(parallel, write):
    published = {
        f"{split}_{side}_text": write(
            f"{split}.{side}", ["a cat dog." if side == "source" else "x"]
        )
        for split in ("validation", "test")
        for side in ("source", "target")
    }
    data = load(parallel(**published))
    assert (len(data.train), len(data.validation), len(data.test)) == (10, 1, 1)
    only = {name: path for name, path in published.items() if name.startswith("val")}
    data = load(parallel(**only))
    assert (len(data.train), len(data.validation), len(data.test)) == (8, 1, 2)


def test_empty_and_long_pairs_are_dropped_and_counted(parallel):
    data = load(parallel([*PAIRS, ("a dog.", ""), ("", "ein Hund.")], longest=6))
    assert data.dropped == 2 + 2  # five dogs and five cats have 7 tokens
    assert data.shape == (7,)
    assert sum(map(len, (data.train, data.validation, data.test))) == 8


def test_a_limit_takes_the_first_lines(parallel):
    data = load(parallel(limit=5))
    assert "cat" not in data.preprocessing.inputs.source.tokens
    assert sum(map(len, (data.train, data.validation, data.test))) == 5


def test_gzip_windows_lines_and_a_byte_order_mark_change_nothing(parallel, write):
    plain = load(parallel())
    text = "".join(f"{en}\r\n" for en, _ in PAIRS).encode("utf-8-sig")
    packed = parallel().model_copy(update={"source_text": write("text.gz", gzip.compress(text))})
    assert load(packed).fingerprint == plain.fingerprint
    np.testing.assert_array_equal(load(packed).train.inputs, plain.train.inputs)


def test_the_fingerprint_depends_on_both_texts_and_not_on_the_division(parallel):
    first = load(parallel()).fingerprint
    assert load(parallel(split_seed=3)).fingerprint == first
    assert load(parallel([*PAIRS[:-1], ("a cat.", "eine Katze.")])).fingerprint != first


# What is wrong


def test_texts_of_different_lengths_are_refused(parallel, write):
    source = parallel().model_copy(update={"target_text": write("short.de", ["ein Hund."])})
    assert refused(source) == (
        f"every line needs its translation on the same line, got 10 lines in {source.source_text} "
        f"and 1 in {source.target_text}; pair the files that belong together"
    )


def test_text_that_is_no_utf_8_names_the_line(parallel, write):
    latin = write("latin.de", "ein Hund\nein Käfer\n".encode("latin-1"))
    assert refused(parallel().model_copy(update={"target_text": latin})) == (
        f"{latin} must be UTF-8 text, got byte 0xe4 in line 2; save it as UTF-8"
    )


def test_an_empty_file_is_refused(parallel, write):
    empty = write("empty.de", b"")
    assert "must hold data, got an empty file" in refused(
        parallel().model_copy(update={"target_text": empty})
    )


def test_too_few_or_too_long_pairs_are_refused(parallel):
    assert refused(parallel(longest=1)) == (
        "every split needs pairs of at most longest=1 tokens, got none of 6 for training; "
        "raise longest or give more text"
    )
    assert "every split needs a row" in refused(parallel(PAIRS[:1]))
    assert refused(parallel(min_count=99)) == (
        "a vocabulary needs tokens that occur 99 times in the training text, got none; "
        "lower min_count or give more text"
    )


def test_published_files_come_in_pairs():
    with pytest.raises(ValidationError, match="test_source_text and test_target_text go together"):
        Parallel(source_text="a", target_text="b", test_source_text="c")


# Serving


def test_what_json_says_is_what_was_fitted(parallel):
    for vocabulary in ("word", "subword"):
        fitted = load(parallel(vocabulary=vocabulary)).preprocessing
        assert Preprocessing.from_json(fitted.to_json()) == fitted


def test_sentences_are_transformed_and_answered(parallel):
    data = load(parallel())
    fitted = data.preprocessing
    assert fitted.columns == ("source",)
    assert fitted.transform(data.example).dtype == np.int64
    np.testing.assert_array_equal(
        fitted.transform(pd.DataFrame({"source": [PAIRS[0][0]]})),
        [[*fitted.inputs.source.encode("a dog."), END, PAD, PAD, PAD, PAD]],
    )
    answers = fitted.answer(data.train.targets)
    assert answers["prediction"].isin([de for _, de in PAIRS]).all()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            pd.DataFrame({"text": ["a"]}),
            "the model takes a table with the column 'source', got 'text'; pass a pandas DataFrame "
            "with one sentence in each row",
        ),
        (
            pd.DataFrame({"source": [None]}),
            "a sentence must be text, got None; correct it or drop the row",
        ),
        (
            pd.DataFrame({"source": ["a " * 9]}),
            "the model takes sentences of up to 7 tokens, got 9 in 'a a a a a a a a a '; "
            "split the sentence",
        ),
    ],
)
def test_what_cannot_be_translated_says_why(parallel, rows, message):
    with pytest.raises(ValueError, match=r".") as caught:
        load(parallel()).preprocessing.transform(rows)
    assert str(caught.value) == message


def test_the_rules_work_where_nothing_else_of_this_project_is(parallel, tmp_path):
    fitted = load(parallel(vocabulary="subword")).preprocessing
    (tmp_path / "rules.py").write_text(Path(preprocessing.__file__).read_text())
    (tmp_path / "fitted.json").write_text(fitted.to_json())
    script = (
        "import pandas as pd, rules; p = rules.Preprocessing.from_json(open('fitted.json').read());"
        "print(p.transform(pd.DataFrame({'source': ['a dog.']})).tolist())"
    )
    found = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, '.'); {script}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == str(
        fitted.transform(pd.DataFrame({"source": ["a dog."]})).tolist()
    )


# Real text


@pytest.mark.long
@pytest.mark.skipif(not REAL.is_dir(), reason=f"needs the real text in {REAL}")
@pytest.mark.parametrize("vocabulary", ["word", "subword"])
def test_real_text_is_read_and_spelled_again(vocabulary):
    began = time.process_time()
    data = load(
        Parallel(
            source_text=str(REAL / "train.en.gz"),
            target_text=str(REAL / "train.de.gz"),
            validation_source_text=str(REAL / "val.en.gz"),
            validation_target_text=str(REAL / "val.de.gz"),
            test_source_text=str(REAL / "test_2016_flickr.en.gz"),
            test_target_text=str(REAL / "test_2016_flickr.de.gz"),
            vocabulary=vocabulary,
        )
    )
    assert time.process_time() - began < 60  # of this process, whatever else the machine does
    whole = len(data.train), len(data.validation), len(data.test)
    assert sum(whole) + data.dropped == 29_000 + 1014 + 1000
    assert data.dropped < 20
    known = data.preprocessing.inputs
    assert max(len(known.source.tokens), len(known.target.tokens)) <= 8000
    unknown = (data.test.targets == UNKNOWN).sum() / (data.test.targets > END).sum()
    assert unknown < (0.001 if vocabulary == "subword" else 0.05)
    with gzip.open(REAL / "test_2016_flickr.de.gz", "rt", encoding="utf-8") as file:
        lines = {" ".join(line.split()) for line in file}
    spelled = [known.target.decode(row) for row in data.test.targets.tolist()]
    complete = [text for text in spelled if "\N{DOUBLE QUESTION MARK}" not in text]
    assert np.mean([text in lines for text in complete]) > 0.99
