"""OpinionQA: the traps of its files, the same numbers by two ways, and faults that are named."""

import json

import equilibrax as eq
import numpy as np
import pyarrow.parquet as pq
import pytest
from equilibrax.cli import main
from equilibrax.io.literals import LITERAL_LIMIT, parse_literal

HOUSES = ("Larger, but schools are far", "Smaller, but schools are near")
# As the data set has it: columns without a name, the question as plain text, and a comma inside options.
INFO = f"""\
,Unnamed: 0,key,option_mapping,question,references,option_ordinal
0,0,AGREE,"{{1.0: 'Yes', 2.0: ""Don't know"", 3.0: 'No'}}","Well, or not?","['Yes', ""Don't know"", 'No', 'Refused']","[1.0, 1.5, 2.0]"
1,1,HOUSES,"{{}}",Which?,"{list(HOUSES)!r}","[1, 2]"
2,2,NOBODY,"{{}}",Which?,"['A', 'B', 'No answer', 'Refused']","[1.0, 2.0]"
"""  # noqa: E501
DATA = {
    "HOUSES": {
        "MC_options": ["Larger", "but schools are far", "Smaller", "but schools are near"],
        "question_text": "Which?",
        "Old": {HOUSES[0]: 3.0, HOUSES[1]: 1.0},
        "Young": {HOUSES[1]: 2.0},
        "Refused": {HOUSES[0]: 9.0},
    },
    "AGREE": {
        "MC_options": ["Yes", "Don't know", "No", "Refused"],
        "question_text": "Well, or not?",
        "Young": {"Refused": 4.0},
        "Old": {"Yes": 1.0, "No": 1.0, "Don't know": 2.0, "Refused": 7.0},
    },
}
MODELS = {
    "kind": {"AGREE": [0.2, 0.3, 0.5], "HOUSES": {HOUSES[1]: 1.0}},
    "terse": {"AGREE": {"Yes": 0.4, "Refused": 0.5, "No": 0.1}},
}
RESPONSES = f"""\
QKEY,AGE,AGREE,HOUSES
1,Old,Yes,"{HOUSES[0]}"
2,Old,No,"{HOUSES[0]}"
3,Old,Don't know,"{HOUSES[0]}"
4,Old,Don't know,"{HOUSES[1]}"
5,Old,Refused,
6,Young,Refused,"{HOUSES[1]}"
7,Young,,"{HOUSES[1]}"
8,Refused,Yes,"{HOUSES[0]}"
9,Young,Refused,Refused
"""


@pytest.fixture
def wave(tmp_path):
    (tmp_path / "info.csv").write_text(INFO)
    (tmp_path / "AGE_data.json").write_text(json.dumps(DATA))
    (tmp_path / "responses.csv").write_text(RESPONSES)
    (tmp_path / "metadata.csv").write_text(",key,options\n1,SEX,\"['Male']\"\n3,AGE,\"['Young', 'Old']\"\n")
    return tmp_path


def test_the_traps(wave):
    answers = eq.raters.read_opinionqa(wave, "AGE", MODELS)
    assert answers.question_names == ("AGREE", "HOUSES")  # nobody answered the third
    assert answers.user_names == ("Young", "Old")  # the survey's order; who refused to say is no group
    assert answers.option_names == (("Yes", "Don't know", "No"), (*HOUSES, ""))  # split at no comma
    assert answers.seen.tolist() == [[False, True], [True, True]]  # nothing but refusals is no answer
    np.testing.assert_array_equal(answers.users[1], [[0.25, 0.5, 0.25], [0.75, 0.25, 0]])
    np.testing.assert_array_equal(answers.users[0, 1], [0, 1, 0])  # an option that no one chose
    assert np.isnan(answers.users[0, 0]).all()
    np.testing.assert_allclose(answers.models[:, 0], [[0.2, 0.3, 0.5], [0.8, 0, 0.2]])  # refusals dropped
    assert answers.modelled.tolist() == [[True, True], [True, False]]


def test_counts_of_responses_are_the_counts_of_the_file(wave):
    counted = eq.raters.read_opinionqa(wave, "AGE", MODELS)
    (wave / "AGE_data.json").unlink()
    again = eq.raters.read_opinionqa(wave, "AGE", MODELS)
    assert again.user_names == counted.user_names
    np.testing.assert_array_equal(again.users, counted.users)
    with pytest.raises(eq.TableFileError, match=r"responses\.csv, line 1: expected a column 'SEX'"):
        eq.raters.read_opinionqa(wave, "SEX", MODELS)
    (wave / "responses.csv").unlink()
    with pytest.raises(eq.TableFileError, match=r"expected AGE_data\.json or responses\.csv .*, got none"):
        eq.raters.read_opinionqa(wave, "AGE", MODELS)


def test_respondents(wave):
    people = eq.raters.read_opinionqa_respondents(wave, MODELS)
    # Line 10 refused everything. All that answered are there, with all weight on their own answer.
    assert people.user_names == tuple(f"respondent {line}" for line in (2, 3, 4, 5, 7, 8, 9))
    assert set(np.unique(people.users[people.seen])) == {0.0, 1.0}
    groups = eq.raters.read_opinionqa(wave, "AGE", MODELS)
    old = people.users[:4]
    np.testing.assert_array_equal(old.mean(axis=0), groups.users[1])  # the mean of one-hot answers is the share
    some = eq.raters.read_opinionqa_respondents(wave, MODELS, count=3, seed=4)
    same = eq.raters.read_opinionqa_respondents(wave, MODELS, count=3, seed=4)
    assert some.num_users == 3
    assert some.user_names == same.user_names
    np.testing.assert_array_equal(some.users, same.users)
    drawn = {eq.raters.read_opinionqa_respondents(wave, MODELS, count=3, seed=s).user_names for s in range(8)}
    assert len(drawn) > 1
    one = eq.raters.read_opinionqa_respondents(wave, MODELS, questions=["HOUSES"])
    assert one.question_names == ("HOUSES",)
    assert one.num_users == 7


def test_models_from_files(wave):
    (wave / "models.json").write_text(json.dumps(MODELS))
    folder = wave / "models"
    folder.mkdir()
    for name, answers in MODELS.items():
        (folder / f"{name}.json").write_text(json.dumps(answers))
    given = eq.raters.read_opinionqa(wave, "AGE", MODELS)
    for models in (wave / "models.json", folder):
        again = eq.raters.read_opinionqa(wave, "AGE", models)
        assert again.model_names == ("kind", "terse")
        np.testing.assert_array_equal(again.models, given.models)
    (wave / "models.json").write_text('{"kind": {}, "kind": {}}')
    with pytest.raises(eq.TableFileError, match=r"models\.json: expected every name once, got 'kind' twice"):
        eq.raters.read_opinionqa(wave, "AGE", wave / "models.json")
    (wave / "models.json").write_text('{"kind":\n {"AGREE": [0.2, }}')
    with pytest.raises(eq.TableFileError, match=r"models\.json, line 2: column \d+: expected well-formed JSON"):
        eq.raters.read_opinionqa(wave, "AGE", wave / "models.json")


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({"m": {"AGREE": [0.5, 0.5]}}, r"model 'm', question 'AGREE': expected .* a list of 3 probabilities, got"),
        ({"m": {"AGREE": {"Perhaps": 1}}}, r"question 'AGREE': expected options among .* got 'Perhaps'"),
        ({"m": {"AGREE": {"Yes": -0.5}}}, "option 'Yes': expected a number of at least 0, got -0.5"),
        ({"m": {"AGREE": [float("nan"), 0, 1]}}, "place 1: expected a number of at least 0, got nan"),
        ({"m": {"AGREE": [20, 30, 50]}}, "expected probabilities with a sum above 0 and up to 1, got sum 100"),
        ({"m": {"AGREE": {"Refused": 1}}}, "expected probabilities with a sum above 0"),
        ({"m": {"WHO": [1]}}, "question 'WHO': expected a question of info.csv"),
        ({"m": [1]}, "model 'm': expected {question: {option: probability}}, got"),
        ({"m": {}}, "models: expected answers of some model, got none"),
    ],
)
def test_faults_in_models(wave, models, message):
    with pytest.raises(eq.TableFileError, match=message):
        eq.raters.read_opinionqa(wave, "AGE", models)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("info.csv", "['A', 'B', 'No answer', 'Refused']", "[1, f()]", "line 4: .*references.: expected a Python"),
        ("info.csv", "['A', 'B', 'No answer', 'Refused']", "'A'", "line 4: column 'references': expected a Python"),
        ("info.csv", "['A', 'B', 'No answer', 'Refused']", "['A', 'A']", "line 4: .* expected different texts"),
        ("info.csv", "['A', 'B', 'No answer', 'Refused']", "['A']", "'option_ordinal': expected at most 1 numbers"),
        ("info.csv", '"[1.0, 1.5, 2.0]"', "[]", "line 2: column 'references': expected an option that is no refusal"),
        ("info.csv", "NOBODY", "AGREE", "line 4: column 'key': expected every question once, got 'AGREE' again"),
        ("info.csv", "references", "options", "line 1: expected a column 'references'"),
        ("AGE_data.json", '"Young": {"Refused": 4.0}', '"Young": {"Refuse": 4.0}', "group 'Young': .* got 'Refuse'"),
        ("AGE_data.json", '"Young": {"Refused": 4.0}', '"Young": {"Yes": "4"}', "option 'Yes': .* got '4'"),
        ("AGE_data.json", '"Young": {"Refused": 4.0}', '"Young": [4]', "group 'Young': expected {option: count}, got"),
        ("AGE_data.json", '{"HOUSES"', '"HOUSES"', "line 1: column 9: expected well-formed JSON"),
    ],
)  # fmt: skip
def test_faults_in_the_data(wave, name, old, new, message):
    path = wave / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    # A fault in a question that nobody asks for is named, and no error.
    asked = ["NOBODY"] if "'A'" in old else None
    if asked:
        notes = eq.raters.read_opinionqa(wave, "AGE", MODELS).notes
        assert sum("question NOBODY could not be read" in note for note in notes) == 1
    with pytest.raises(eq.TableFileError, match=message) as caught:
        eq.raters.read_opinionqa(wave, "AGE", MODELS, questions=asked)
    assert str(caught.value).startswith(str(path))


def test_faults_in_responses(wave):
    path = wave / "responses.csv"
    path.write_text(RESPONSES.replace("3,Old,Don't know", "3,Old,Dont know"))
    with pytest.raises(eq.TableFileError, match=r"responses\.csv, line 4: column 'AGREE': expected an option among"):
        eq.raters.read_opinionqa_respondents(wave, MODELS)
    path.write_text("QKEY,AGE\n1,Old\n")
    with pytest.raises(eq.TableFileError, match="expected answers to some question"):
        eq.raters.read_opinionqa_respondents(wave, MODELS)
    for options, message in (
        ({"count": 0}, "count: expected a positive whole number"),
        ({"seed": -1}, "seed: expected a whole number from 0"),
        ({"questions": ["WHO"]}, "questions: expected keys of info.csv, got 'WHO'"),
        ({"questions": []}, "questions: expected one or several different keys"),
    ):
        with pytest.raises(ValueError, match=message):
            eq.raters.read_opinionqa_respondents(wave, MODELS, **options)


def test_a_group_without_answers_is_kept(wave):
    text = json.dumps(DATA | {"AGREE": DATA["AGREE"] | {"Middle": {"Refused": 3.0}}})
    (wave / "AGE_data.json").write_text(text)
    answers = eq.raters.read_opinionqa(wave, "AGE", MODELS)
    assert answers.user_names == ("Young", "Old", "Middle")
    assert answers.seen[2].tolist() == [False, False]
    assert np.isnan(answers.users[2][answers.options]).all()


@pytest.mark.parametrize(
    "text",
    [
        "open('x')",
        "__import__('os')",
        "[1",
        "(" * 5000 + ")" * 5000,
        "a",
        "1 if True else 2",
        "'" + "x" * LITERAL_LIMIT,
    ],
)
def test_literals_are_parsed_and_never_run(text):
    with pytest.raises(eq.TableFileError, match="here: expected a list"):
        parse_literal(text, "here", "a list")
    assert parse_literal("{1.0: \"Don't\", 2.0: ['a', None]}", "here", "a dict") == {1.0: "Don't", 2.0: ["a", None]}


def test_what_is_not_read_is_named(wave):
    answers = eq.raters.read_opinionqa(wave, "AGE", MODELS)
    assert answers.notes == ()  # the option "No answer" is of a question that nobody answered
    (wave / "AGE_data.json").write_text(json.dumps(DATA | {"HOMES": DATA["HOUSES"]}))
    known = {"kind": MODELS["kind"] | {"NOBODY": [0.5, 0.5], "OTHER": [1.0]}}
    answers = eq.raters.read_opinionqa(wave, "AGE", known, questions=["NOBODY", "AGREE"])
    assert answers.question_names == ("NOBODY", "AGREE")
    assert answers.notes == (
        "questions of AGE_data.json that info.csv does not have: HOMES",
        "options that count as no answer, and in how many questions: 'No answer' (1)",
    )
    everything = eq.raters.read_opinionqa(wave, "AGE", known)
    assert "questions of the models' answers that info.csv does not have: OTHER" in everything.notes
    np.testing.assert_array_equal(everything.users, eq.raters.read_opinionqa(wave, "AGE", MODELS).users)


@pytest.mark.parametrize("again", ["NOBODY", "HOUSES"])
def test_a_key_that_is_there_twice_matters_to_those_who_ask_for_it(wave, again):
    other = INFO.splitlines()[1].replace("AGREE", again)
    (wave / "info.csv").write_text(INFO + other + "\n")
    models = {"kind": {"AGREE": [0.2, 0.3, 0.5]}}
    answers = eq.raters.read_opinionqa(wave, "AGE", models)
    assert answers.question_names == ("AGREE",)
    assert len(answers.notes) == 1
    assert f"question {again} could not be read" in answers.notes[0]
    with pytest.raises(eq.TableFileError, match=f"line 5: column 'key': expected every question once, got '{again}'"):
        eq.raters.read_opinionqa(wave, "AGE", models, questions=[again])
    (wave / "info.csv").write_text(INFO + INFO.splitlines()[1] + "\n")  # the same again says nothing new
    assert eq.raters.read_opinionqa(wave, "AGE", models).notes == ()


def test_weights_of_respondents(wave):
    lines = RESPONSES.splitlines()
    weights = ["WEIGHT_W29", "2", "1", "0.5", "", "1", "1", "1", "1", "1"]
    (wave / "responses.csv").write_text("\n".join(f"{w},{line}" for w, line in zip(weights, lines)) + "\n")
    answers = eq.raters.read_opinionqa(wave, "AGE", MODELS, weight="WEIGHT_W29")
    np.testing.assert_allclose(answers.users[1], [[4 / 7, 1 / 7, 2 / 7], [1, 0, 0]])
    left = ("1 of 9 respondents have no weight in WEIGHT_W29", "1 of 9 respondents are in no group of AGE")
    assert answers.notes == left
    people = eq.raters.read_opinionqa_respondents(wave, MODELS, weight="WEIGHT_W29")
    assert people.user_names == tuple(f"respondent {line}" for line in (2, 3, 4, 7, 8, 9))
    drawn = [
        eq.raters.read_opinionqa_respondents(wave, MODELS, count=1, seed=s, weight="WEIGHT_W29") for s in range(60)
    ]
    first = sum(one.user_names == ("respondent 2",) for one in drawn)
    assert 8 < first < 32  # 2 of 6.5 in the mean: 18
    with pytest.raises(
        eq.TableFileError, match="expected a column 'WEIGHT' with weights of respondents, got WEIGHT_W29"
    ):
        eq.raters.read_opinionqa(wave, "AGE", MODELS, weight="WEIGHT")
    (wave / "responses.csv").write_text((wave / "responses.csv").read_text().replace("0.5,3", "-1,3"))
    with pytest.raises(
        eq.TableFileError, match="line 4: column 'WEIGHT_W29': expected a number of at least 0, got '-1'"
    ):
        eq.raters.read_opinionqa(wave, "AGE", MODELS, weight="WEIGHT_W29")


def test_models_of_the_repository_as_they_are(wave):
    """Its table of distributions and its runs: the same answers as in a file of one's own."""
    own = {"davinci": {"AGREE": [0.5, 0.3, 0.2], "HOUSES": [0.25, 0.75]}}
    given = eq.raters.read_opinionqa(wave, "AGE", own)
    folder = wave / "distributions"
    folder.mkdir()
    table = (
        ",model_name,qkey,D_M,R_M,ordinal_refs\n"
        '0,davinci,AGREE,"[0.5 0.3\n 0.2]",0.1,"[\'Yes\', ""Don\'t know"", \'No\']"\n'
        '1,davinci,AGREE,[0.5 0.3 0.2],0.1,"[\'Yes\', ""Don\'t know"", \'No\']"\n'
        f'2,davinci,HOUSES,[0.75 0.25],0.1,"{list(HOUSES[::-1])!r}"\n'
    )
    (folder / "W29_default_model.csv").write_text(table)
    run = wave / "runs" / "opinions_qa:survey=W29,num_logprobs=100,context=default,model=davinci"
    run.mkdir(parents=True)
    states = [
        {
            "instance": {"input": {"text": text}},
            "output_mapping": {"A": options[0], "B": options[1], "C": "Refused"} | more,
            "result": {"completions": [{"tokens": [{"top_logprobs": {k: float(np.log(v)) for k, v in logs.items()}}]}]},
        }
        for text, options, more, logs in (
            ("Well, or not?", ("Yes", "Don't know"), {"D": "No"}, {" A": 0.4, "B": 0.24, " D": 0.16, "C": 0.1}),
            ("I am old.\nQuestion: Which?", HOUSES, {}, {"A": 0.2, " B": 0.6, "x": 0.2}),
        )
    ]
    (run / "scenario_state.json").write_text(json.dumps({"request_states": states}))
    for models in (folder / "W29_default_model.csv", folder, wave / "runs"):
        again = eq.raters.read_opinionqa(wave, "AGE", models)
        assert again.model_names == ("davinci",)
        np.testing.assert_allclose(again.models, given.models, atol=1e-12)
    (folder / "W29_default_model.csv").write_text(table.replace("[0.5 0.3 0.2]", "[0.3 0.5 0.2]"))
    with pytest.raises(eq.TableFileError, match="question 'AGREE': expected one answer, got another one again"):
        eq.raters.read_opinionqa(wave, "AGE", folder)
    del states[0]["result"]
    (run / "scenario_state.json").write_text(json.dumps({"request_states": states}))
    with pytest.raises(eq.TableFileError, match="expected instance, output_mapping and result of every request"):
        eq.raters.read_opinionqa(wave, "AGE", wave / "runs")


@pytest.mark.parametrize("twin", ["old", "Old ", "O\u200dld", "\uff2fld"])
def test_two_spellings_of_a_group_are_not_two_users(wave, twin):
    (wave / "AGE_data.json").write_text(json.dumps(DATA | {"AGREE": DATA["AGREE"] | {twin: {"Yes": 5.0}}}))
    with pytest.raises(eq.TableFileError, match=r"expected one spelling of a name, got .* after 'Old'"):
        eq.raters.read_opinionqa(wave, "AGE", MODELS)


@pytest.mark.parametrize("twin", ["yes", "Yes  ", "Don't  know"])
def test_two_spellings_of_an_option_are_a_fault_of_the_question(wave, twin):
    """Two blanks for one made two options of one name, the second of which nobody ever chose."""
    (wave / "info.csv").write_text(INFO.replace("'No', 'Refused']", f'"{twin}", "Refused"]'.replace('"', '""'), 1))
    answers = eq.raters.read_opinionqa(wave, "AGE", {"kind": {"HOUSES": [0.5, 0.5]}})
    assert answers.question_names == ("HOUSES",)
    assert any("question AGREE could not be read" in note for note in answers.notes)


def test_two_spellings_of_a_model_are_not_two_providers(wave):
    with pytest.raises(eq.TableFileError, match="expected one spelling of a name, got 'KIND'"):
        eq.raters.read_opinionqa(wave, "AGE", {"kind": MODELS["kind"], "KIND": MODELS["kind"]})


@pytest.mark.parametrize("wrong", [3, [["AGREE"]], {}, [None], b"AGREE"])
def test_questions_that_are_no_keys(wave, wrong):
    with pytest.raises(ValueError, match="questions: expected one or several different keys"):
        eq.raters.read_opinionqa(wave, "AGE", MODELS, questions=wrong)


@pytest.mark.parametrize(
    ("attribute", "models", "message"),
    [(5, MODELS, "attribute: expected a name"), ("AGE", None, "models: expected a file"), ("AGE", [1], "models: exp")],
)
def test_arguments_of_another_kind(wave, attribute, models, message):
    with pytest.raises(ValueError, match=message):
        eq.raters.read_opinionqa(wave, attribute, models)


def test_tiny_weights_draw_everybody(wave):
    """With weights of 1e-320 all clocks rang at infinity, and the first lines were drawn whatever the seed."""
    lines = RESPONSES.splitlines()
    (wave / "responses.csv").write_text("\n".join(["WEIGHT," + lines[0], *("1e-320," + line for line in lines[1:])]))
    drawn = {
        eq.raters.read_opinionqa_respondents(wave, MODELS, count=1, seed=s, weight="WEIGHT").user_names
        for s in range(30)
    }
    assert len(drawn) >= 5


def _survey(folder, weights):
    """A wave of 8 questions and 24 people of 3 ages; each is there as often as told, or has that weight."""
    random = np.random.default_rng(5)
    keys, words, ages = [f"Q{q}" for q in range(8)], ["Yes", "No", "Both"], ["old", "young", "other"]
    base = random.dirichlet([0.4, 0.4, 0.4], 8)
    answers = np.stack([random.choice(3, 24, p=share) for share in base], axis=1)
    lines = ["key,references,option_ordinal", *(f'{key},"{[*words, "Refused"]}","[1, 2, 3]"' for key in keys)]
    rows = [[ages[i % 3], *(words[a] for a in said)] for i, said in enumerate(answers.tolist())]
    for name, times in (("weighed", np.ones(24, int)), ("repeated", weights)):
        (folder / name).mkdir()
        (folder / name / "info.csv").write_text("\n".join(lines) + "\n")
        people = [[str(w), *row] for w, row, n in zip(weights, rows, times) for _ in range(n)]
        text = "\n".join(",".join(one) for one in [["WEIGHT_W1", "AGE", *keys], *people])
        (folder / name / "responses.csv").write_text(text + "\n")
    shares = (0.7 * base + 0.3 * random.dirichlet([1, 1, 1], (4, 8))).tolist()
    return {f"m{j}": dict(zip(keys, said)) for j, said in enumerate(shares)}


@pytest.fixture
def survey(tmp_path):
    weights = np.random.default_rng(6).integers(1, 5, 24)
    return tmp_path, _survey(tmp_path, weights), weights


def test_who_is_in_no_group_does_not_count_and_is_said(tmp_path):
    (tmp_path / "info.csv").write_text("key,references,option_ordinal\nQ,\"['Yes', 'No', 'Refused']\",\"[1, 2]\"\n")
    rows = "1,M,1,Yes\n2,M,1,No\n3,F,2,Yes\n4,,9,No\n5,Refused,9,No\n6,F,0,No\n"
    (tmp_path / "responses.csv").write_text(f"id,SEX,WEIGHT_W1,Q\n{rows}")
    models = {"m": {"Q": [0.5, 0.5]}}
    weighed = eq.raters.read_opinionqa(tmp_path, "SEX", models, weight="WEIGHT_W1")
    assert weighed.users.tolist() == [[[0.5, 0.5]], [[1.0, 0.0]]]
    assert weighed.weighed == "WEIGHT_W1 (3 respondents, as telling as 2.7 equal ones)"
    none = "2 of 6 respondents are in no group of SEX"
    assert weighed.notes == ("1 of 6 respondents have no weight in WEIGHT_W1", none)
    assert eq.raters.read_opinionqa(tmp_path, "SEX", models).notes == (none,)


@pytest.mark.parametrize("weight", ["1_000", "\u0661", "inf", "1e310", "-1", "one", "1,5"])
def test_a_weight_is_a_number_as_others_are(tmp_path, weight):
    (tmp_path / "info.csv").write_text("key,references,option_ordinal\nQ,\"['Yes', 'No', 'Refused']\",\"[1, 2]\"\n")
    (tmp_path / "responses.csv").write_text(f'SEX,WEIGHT,Q\nM,"{weight}",Yes\n')
    with pytest.raises(eq.TableFileError, match=r"line 2: column 'WEIGHT': expected a number of at least 0"):
        eq.raters.read_opinionqa(tmp_path, "SEX", {"m": {"Q": [0.5, 0.5]}}, weight="WEIGHT")


def test_a_weight_is_as_good_as_so_many_respondents(survey):
    """All the way to transfer factors: people who count twice are people who are there twice."""
    folder, models, weights = survey
    weighed = eq.raters.read_opinionqa(folder / "weighed", "AGE", models, weight="WEIGHT_W1", weigh_groups=True)
    repeated = eq.raters.read_opinionqa(folder / "repeated", "AGE", models, weigh_groups=True)
    plain = eq.raters.read_opinionqa(folder / "weighed", "AGE", models)
    np.testing.assert_allclose(weighed.users, repeated.users, rtol=1e-12)
    assert weighed.user_weights.tolist() == repeated.user_weights.tolist() == [weights[i::3].sum() for i in range(3)]
    equal = weights.sum() ** 2 / (weights**2).sum()
    assert weighed.weighed == f"WEIGHT_W1 (24 respondents, as telling as {equal:.1f} equal ones)"
    assert (plain.weighed, plain.user_weights.tolist()) == ("", [1, 1, 1])
    fits = [eq.raters.market_fit(one, scores=[], folds=2, worst_case=False) for one in (weighed, repeated, plain)]
    for name in ("value", "cross_validated"):
        rows = [fit.coverage.rows()[name].to_numpy() for fit in fits]
        np.testing.assert_allclose(rows[0], rows[1], rtol=1e-6)
        assert not np.allclose(rows[0], rows[2], rtol=1e-3, equal_nan=True)
    np.testing.assert_allclose(fits[0].curve.mean(), fits[1].curve.mean(), rtol=1e-9)
    for fit, counts in ((fits[0], [int(weights[i::3].sum()) for i in range(3)]), (fits[2], [1, 1, 1])):
        users = [
            i for i, often in enumerate(counts) for _ in range(often)
        ]  # users who are there as often as they count
        np.testing.assert_allclose(fit.curve.mean(), fit.curve.rmse[users].mean(axis=0), rtol=1e-9)
        np.testing.assert_allclose(
            fit.coverage.mean_user[-1, 0], eq.raters.transfer_factors(fit.strong)[users].mean(), rtol=1e-9
        )
    alike = eq.raters.read_opinionqa(folder / "weighed", "AGE", models, weight="WEIGHT_W1")
    assert alike.user_weights.tolist() == [1, 1, 1]  # the paper's market has groups that count alike
    np.testing.assert_array_equal(alike.users, weighed.users)


def test_single_people_count_by_their_weights(survey):
    folder, models, weights = survey
    weighed = eq.raters.read_opinionqa_respondents(folder / "weighed", models, count=99, weight="WEIGHT_W1")
    repeated = eq.raters.read_opinionqa_respondents(folder / "repeated", models, count=999)
    assert weighed.user_weights.tolist() == weights.tolist()
    assert repeated.num_users == weights.sum()
    curves = [
        eq.alignment_curve(one.rater_matrix(normalized=True), subsets="all", folds=2) for one in (weighed, repeated)
    ]
    for of in ("mse", "rmse", "nonzero"):
        np.testing.assert_allclose(curves[0].mean(of), curves[1].mean(of), rtol=1e-9)
        np.testing.assert_allclose(curves[0].spread(of), curves[1].spread(of), rtol=1e-9, atol=1e-12)


def test_people_are_drawn_in_proportion_to_their_weights(survey):
    """In the mean over seeds everybody is drawn as often as her weight says, and never far from it in one draw."""
    folder, models, weights = survey
    names = eq.raters.read_opinionqa_respondents(folder / "weighed", models, count=99).user_names
    for count, seeds in ((12, 100), (1, 500)):
        wanted = count * weights / weights.sum()
        total = np.zeros(24)
        for seed in range(seeds):
            drawn = eq.raters.read_opinionqa_respondents(
                folder / "weighed", models, count=count, seed=seed, weight="WEIGHT_W1", questions=["Q0"]
            )
            times = dict(zip(drawn.user_names, drawn.user_weights))
            often = np.array([times.get(name, 0.0) for name in names])
            assert often.sum() == count
            assert (np.abs(often - wanted) < 1).all()
            total += often
        heavy = weights == 4  # together, so that being drawn alike would show
        share = wanted[heavy].sum() / count
        error = np.sqrt(share * (1 - share) / (seeds * count))
        assert abs(total[heavy].sum() / total.sum() - share) < 4 * error


@pytest.mark.slow
def test_weights_from_the_command_line(survey, tmp_path, capsys):
    folder, models, weights = survey
    (tmp_path / "models.json").write_text(json.dumps(models))
    args = ["align", str(folder / "weighed"), "--models", str(tmp_path / "models.json"), "--attribute", "AGE"]
    weighing = ["--weight", "WEIGHT_W1", "--weigh-groups", "--folds", "2", "--permutations", "2"]
    assert main([*args, *weighing, "--out", str(tmp_path / "out")]) == 0
    repeated = eq.raters.read_opinionqa(folder / "repeated", "AGE", models, weigh_groups=True)
    fit = eq.raters.market_fit(repeated, folds=2, worst_case=False)
    rows = pq.read_table(tmp_path / "out" / "coverage.parquet").to_pydict()
    linear = [value for score, value in zip(rows["score"], rows["cross_validated"]) if score == "linear"]
    wanted = fit.coverage.rows()["cross_validated"].to_pylist()
    assert [one is None for one in linear] == [one is None for one in wanted]
    assert [one or 0.0 for one in linear] == pytest.approx([one or 0.0 for one in wanted], rel=1e-6)
    text = (tmp_path / "out" / "summary.md").read_text()
    assert "- Respondents count by WEIGHT_W1 (24 respondents, as telling as" in text
    share = 100 * weights[0::3].sum() / weights.sum()
    assert f"- In means over users these count by: old {share:.3g} %" in text
    capsys.readouterr()
