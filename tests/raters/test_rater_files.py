"""Raters from CSV files: the two layouts hold the same, and faults are named by line and column."""

import equilibrax as eq
import numpy as np
import pytest

WIDE = """item,target,Ann,Bob,importance,topic
lying,10,20,15,1,harm
helping,90,80,,2,care
"quoted, with comma",50,NaN,55,0.5,harm
"""
LONG = """item,rater,value,importance,topic
lying,target,10,1,harm
lying,Ann,20,1,harm
helping,Ann,80,2,care
lying,Bob,15,1,harm
helping,target,90,2,care
"quoted, with comma",Bob,55,0.5,harm
"quoted, with comma",target,50,0.5,harm
"""
OPTIONS = {"weight": "importance", "group": "topic", "scale": 100}


def written(tmp_path, text):
    path = tmp_path / "raters.csv"
    path.write_text(text)
    return path


def test_wide_and_long_hold_the_same(tmp_path):
    wide = eq.read_raters(written(tmp_path, WIDE), **OPTIONS)
    long = eq.read_raters(written(tmp_path, LONG), **OPTIONS)
    for matrix in (wide, long):
        np.testing.assert_allclose(matrix.ratings, [[0.2, 0.15], [0.8, np.nan], [np.nan, 0.55]])
        np.testing.assert_allclose(matrix.targets, [[0.1], [0.9], [0.5]])
        assert matrix.item_names == ("lying", "helping", "quoted, with comma")
        assert (matrix.rater_names, matrix.target_names) == (("Ann", "Bob"), ("target",))
        assert (matrix.weights.tolist(), matrix.groups.tolist()) == ([1, 2, 0.5], [0, 1, 0])


def test_several_targets_scales_and_what_is_left_out(tmp_path):
    path = written(tmp_path, ",stars,text,Ann,me\n0,5,good film,7,1\n1,3,bad film,-1,-1\n")
    matrix = eq.read_raters(path, target=["me", "stars"], ignore=["text"], scale=(-1, 7), target_scale=(-1, 7))
    assert matrix.target_names == ("me", "stars")
    assert matrix.rater_names == ("Ann",)
    assert matrix.item_names == ("0", "1")  # a first column without a name
    np.testing.assert_allclose(matrix.ratings[:, 0], [1, 0])
    matrix = eq.read_raters(path, target="stars", ignore=["text", "me"], scale=(-1, 7), target_scale=5)
    np.testing.assert_allclose(matrix.targets[:, 0], [1, 0.6])
    plain = eq.read_raters(path, target="stars", ignore=["text"])
    assert plain.ratings.tolist() == [[7, 1], [-1, -1]]


@pytest.mark.parametrize("text", ["", "NA", "n/a", "#N/A", "NaN", "null", "None"])
def test_what_stands_for_a_missing_number(tmp_path, text):
    matrix = eq.read_raters(written(tmp_path, f"item,target,Ann\na,1,{text}\nb,2,3\n"))
    np.testing.assert_array_equal(matrix.ratings[:, 0], [np.nan, 3])


def test_the_columns_of_a_long_file_may_be_raters_of_a_wide_one(tmp_path):
    matrix = eq.read_raters(written(tmp_path, "item,rater,value,target\na,1,2,3\n"), format="wide")
    assert matrix.rater_names == ("rater", "value")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("item,target,Ann\na,1,good\n", {}, "line 2: column 'Ann': expected a finite number .* got 'good'"),
        ("item,target,Ann\na,1,2\n\n\nb,1,inf\n", {}, "line 5: column 'Ann': expected a finite .* got 'inf'"),
        ("item,target,Ann\na,1,1e999\n", {}, "line 2: column 'Ann': expected a number up to 1e308"),
        ("item,target,Ann\na,1,101\n", {"scale": 100}, "line 2: column 'Ann': expected 0 to 100, got 101"),
        ("item,target,Ann\na,,2\n", {}, "targets: expected at least one number, got NaN only"),
        ("item,me,Ann\na,1,2\n", {}, "line 1: target: expected 'target' among the file's names, got"),
        ("item,target\na,1\n", {}, "line 1: expected a column of some rater"),
        ("item,target,Ann,Ann\na,1,2,3\n", {}, "line 1: column 4: expected every name once, got 'Ann' again"),
        ("item,target,Ann,\na,1,2,3\n", {}, "line 1: column 4: expected a name, got an empty one"),
        ("item,target,Ann\na,1\n", {}, "line 2: expected 3 fields as in the header, got 2"),
        ("item,target,Ann,w\na,1,2,0\n", {"weight": "w"}, "line 2: column 'w': expected a positive number, got '0'"),
        ("item,target,Ann,w\na,1,2,\n", {"weight": "w"}, "line 2: column 'w': expected a positive number, got ''"),
        ("item,target,Ann\na,1,2\n", {"group": "g"}, "line 1: group: expected 'g' among"),
        ("item,target,Ann,g\na,1,2,\n", {"group": "g"}, "line 2: column 'g': expected a name, got an empty field"),
        ('item,target,Ann\n"a,1,2\n', {}, "line 2: expected well-formed CSV"),
        ("item,target,Ann\n", {}, "line 1: expected rows after the header, got none"),
        ("", {}, "line 1: expected a header, got an empty file"),
        ("item,rater,value\na,me,1\na,Ann,2\na,me,3\n", {"target": "me"}, "another of 'me' of 'a' after line 2"),
        ("item,rater,value\na,me,1\n", {"target": "me"}, "column 'rater': expected some rater, got only me"),
        ("item,rater,value\na,Ann,1\n", {}, "column 'rater': target: expected 'target' among"),
        ("item,rater,value\n,Ann,1\n", {}, "line 2: column 'item': expected a name"),
        ("item,rater,value,x\na,Ann,1,1\n", {}, "line 1: column 'x': expected item, rater, value and"),
        (
            "item,rater,value,w\na,target,1,2\na,Ann,1,3\n",
            {"weight": "w"},
            "line 3: column 'w': expected 2.0 for item 'a' as on line 2, got 3.0",
        ),
        ("item,rater,value\na,target,1\na,Ann,7\n", {"scale": 5}, "line 3: .* expected 0 to 5, got 7 of 'Ann'"),
        ("item,target,Ann\na,1,2\n", {"format": "long"}, "line 1: expected 'rater' among"),
        ("item;target;Ann\na;1;2,5\n", {}, "line 1: expected names with commas between them, got semicolons"),
        ("item\ttarget\tAnn\na\t1\t2\n", {}, "line 1: expected names with commas between them, got tabs"),
        ("Item,target,Ann\n1,1,2\n", {}, "line 1: column 1: expected 'item' as the name of .* of names, got 'Item'"),
        ("film,target,Ann\nJaws,1,2\n", {}, "line 1: column 1: expected 'item' as the name .* numbers, got 'film'"),
        ("PK\x03\x04\n", {}, r"expected a CSV file, got a zip file \(.xlsx is one: save the sheet as CSV\)"),
    ],
)  # fmt: skip
def test_faults_name_file_line_and_column(tmp_path, text, options, message):
    path = written(tmp_path, text)
    with pytest.raises(eq.TableFileError, match=message) as caught:
        eq.read_raters(path, **options)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).count(str(path)) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "tall"}, "format: expected one of 'auto', 'wide', 'long'"),
        ({"scale": 0}, "scale: expected a positive number or a pair"),
        ({"scale": (5, 1)}, "scale: expected a positive number or a pair"),
        ({"scale": "100"}, "scale: expected a positive number or a pair"),
        ({"target": ["a", "a"]}, "target: expected one name or several different ones"),
    ],
)
def test_options_that_are_none(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        eq.read_raters(written(tmp_path, WIDE), **options)


def test_files_that_are_none(tmp_path):
    with pytest.raises(eq.TableFileError, match=r"nowhere\.csv: expected a readable file, got: No such file"):
        eq.read_raters(tmp_path / "nowhere.csv")
    with pytest.raises(eq.TableFileError, match="expected a file, got a folder"):
        eq.read_raters(tmp_path)
    (tmp_path / "latin.csv").write_bytes(b"item,target,Ann\nna\xefve,1,2\n")
    with pytest.raises(eq.TableFileError, match="line 2: expected UTF-8 text, got byte 0xef"):
        eq.read_raters(tmp_path / "latin.csv")


# --- ETHICS -----------------------------------------------------------------------------------------------------------

ETHICS = (
    'label,input,is_short,edited\n1,I lied.,True,False\n0,"I helped, twice.",True,False\n0,Long story.,False,False\n'
)


@pytest.fixture
def ethics(tmp_path):
    (tmp_path / "cm.csv").write_text(ETHICS)

    def read(text, **options):
        (tmp_path / "scores.csv").write_text(text)
        return eq.raters.read_ethics(tmp_path / "cm.csv", tmp_path / "scores.csv", **options)

    return read


def test_scores_join_by_order_number_or_text(ethics):
    by_order = ethics("A,B\n10,0\n90,100\n50,\n")
    by_number = ethics("item,A,B\n0,10,0\n1,90,100\n2,50,\n")
    by_text = ethics('input,A,B\nI lied.,10,0\n"I helped, twice.",90,100\nLong story.,50,\n')
    for matrix in (by_order, by_number, by_text):
        np.testing.assert_allclose(matrix.ratings, [[0.1, 0], [0.9, 1], [0.5, np.nan]])
        assert matrix.targets[:, 0].tolist() == [0, 1, 1]  # label 1 is wrong
    some = ethics("item,A,me\n2,5,40\n0,1,20\n", target=["me", "label"])
    assert some.item_names == ("scenario 2", "scenario 0")
    assert some.targets.tolist() == [[0.4, 1], [0.2, 0]]
    assert ethics("A\n10\n90\n50\n", short=False).item_names == ("scenario 2",)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ("A\n10\n90\n", "expected 3 rows as in .* or a column item or input, got 2 rows"),
        ("item,A\n3,10\n", "line 2: column 'item': expected a number from 0 to 2, got '3'"),
        ("item,A\n1,10\n1,10\n", "line 3: column 'item': expected every scenario once, got one again after line 2"),
        ("input,A\nI cheated.,10\n", "line 2: column 'input': expected the text of a scenario"),
        ("item,A\n1,101\n", "line 2: column 'A': expected 0 to 100, got 101"),
        ("item\n1\n", "line 1: expected a column of some rater"),
    ],
)
def test_faults_in_scores(ethics, scores, message):
    with pytest.raises(eq.TableFileError, match=message):
        ethics(scores)


def test_faults_in_scenarios(ethics, tmp_path):
    (tmp_path / "cm.csv").write_text(ETHICS.replace("\n0,Long", "\n2,Long"))
    with pytest.raises(eq.TableFileError, match=r"cm\.csv, line 4: column 'label': expected 0 or 1, got '2'"):
        ethics("A\n1\n2\n3\n")
    (tmp_path / "cm.csv").write_text(ETHICS.replace("Long story.", "I lied."))
    with pytest.raises(eq.TableFileError, match=r"expected one label, got two, on lines 2 and 4 of .*; use item"):
        ethics("input,A\nI lied.,1\n")
    with pytest.raises(eq.TableFileError, match="target: expected 'label' or a column of scores, got 'me'"):
        ethics("A\n1\n2\n3\n", target="me")


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (",A\n1,10\n0,90\n2,50\n", "line 3: column '': expected 2, as rows without"),  # shuffled, as pandas writes them
        (",A\n2,10\n0,90\n1,50\n", "line 2: column '': expected 0, as rows without .* got '2'; call the column item"),
        ("index,A\n0,10\n2,90\n1,50\n", "line 3: column 'index': expected 1"),
        ("Unnamed: 0,A\n0,10\n1,90\n1,50\n", "line 4: column 'Unnamed: 0': expected 2"),
        ("item,input,A\n0,Long story.,10\n", "line 2: column 'input': expected the text of scenario 0"),
    ],
)
def test_scores_that_were_shuffled_are_not_joined_by_position(ethics, scores, message):
    with pytest.raises(eq.TableFileError, match=message):
        ethics(scores)


def test_rows_that_are_numbered_in_order_are_joined_by_position(ethics):
    for start in (0, 1):
        matrix = ethics("Unnamed: 0,A\n" + "".join(f"{start + i},{10 * i}\n" for i in range(3)))
        assert (matrix.rater_names, matrix.ratings.tolist()) == (("A",), [[0], [0.1], [0.2]])


@pytest.mark.parametrize("ends", ["\r\n", "\n", "\r"])
def test_line_ends_within_a_text_are_equal(ethics, tmp_path, ends):
    text = f'"I lied.{ends}Twice."'
    (tmp_path / "cm.csv").write_bytes(f"label,input,is_short\n1,{text},True\n".encode())
    assert ethics('input,A\n"I lied.\nTwice.",10\n').targets.tolist() == [[0]]


# --- items that come twice --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("q0,0,1\nq1,1,2\nq0,0,1\n", "line 4: column 'item': expected every item once, got 'q0' again after line 2"),
        ("q0,0,1\nq0 ,1,2\n", "line 3: column 'item': expected every item once"),
        ("Caf\u00e9,0,1\nCafe\u0301,1,2\n", "line 3: column 'item': expected one spelling of a name"),
    ],
)
def test_an_item_that_comes_twice_would_leak_between_folds(tmp_path, rows, message):
    for first in ("item", ""):
        with pytest.raises(eq.TableFileError, match=message.replace("'item'", f"'{first}'")):
            eq.read_raters(written(tmp_path, f"{first},target,Ann\n{rows}"))
