"""MovieLens: Table 3 of the paper from raw ratings, the rules against plain loops, raters, faults, and the command."""

import os
import random
import shutil
import zipfile
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import equilibrax as eq
import numpy as np
import pyarrow.parquet as pq
import pytest
from equilibrax.cli import main
from equilibrax.io.movielens import GENRES, _careful, _fast

REAL = Path(os.environ.get("EQUILIBRAX_MOVIELENS", Path(__file__).parents[3] / "shared/data/ml-latest-small"))


@pytest.fixture(scope="module")
def real():
    if not REAL.exists():
        pytest.skip(f"needs ml-latest-small, in {REAL} or where EQUILIBRAX_MOVIELENS says; it is not in the repository")
    return eq.io.read_movielens(REAL)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """60 users and 40 movies of one to three genres, drawn by a seed; few ratings are needed to be a fan."""
    folder, draw = tmp_path_factory.mktemp("small"), random.Random(5)
    movies = [(10 * m + 3, f"Film {m}, The (19{m + 10})", draw.sample(GENRES, draw.randint(1, 3))) for m in range(40)]
    draw.shuffle(movies)
    lines = [f'{m},"{title}",{"|".join(genres)}' for m, title, genres in movies]
    (folder / "movies.csv").write_text("movieId,title,genres\n" + "\n".join(lines) + "\n")
    ratings = [
        (user, m, draw.choice([3, 3.5, 4, 4.5, 5]) if user % 2 else draw.choice([0.5, 2, 4]))
        for user in range(1, 61)
        for m, _, _ in movies
        if draw.random() < 0.6
    ]
    lines = [f"{user},{m},{stars},0" for user, m, stars in ratings]
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + "\n".join(lines) + "\n")
    return folder


def by_hand(folder, per_genre, min_ratings, min_average):
    """{(genre, title): [exact utility of the user, of each genre's fans]}, in loops over lines of text."""
    movies = {}
    for line in (folder / "movies.csv").read_text(encoding="utf-8").splitlines()[1:]:
        number, rest = line.split(",", 1)
        title, genres = rest.rsplit(",", 1)
        movies[int(number)] = (title.strip('"').replace('""', '"'), genres.split("|"))
    ratings = [line.split(",")[:3] for line in (folder / "ratings.csv").read_text().splitlines()[1:]]
    of_movie, of_user = defaultdict(list), defaultdict(list)
    for user, movie, stars in ratings:
        halves = int(2 * float(stars))
        of_movie[int(movie)].append((user, halves))
        for genre in movies[int(movie)][1]:
            of_user[user, genre].append(halves)
    fans = {
        genre: {
            user
            for (user, own), stars in of_user.items()
            if own == genre and len(stars) >= min_ratings and Fraction(sum(stars), 2 * len(stars)) >= min_average
        }
        for genre in GENRES
    }

    def average(movie, people):
        stars = [s for user, s in of_movie[movie] if people is None or user in people]
        return Fraction(sum(stars), 10 * len(stars)) if stars else average(movie, None)

    table = {}
    for genre in GENRES:
        own = sorted((m for m in movies if genre in movies[m][1]), key=lambda m: -len(of_movie[m]))
        for movie in own[:per_genre]:
            people = [None, *(fans[other] for other in GENRES)]
            table[genre, movies[movie][0]] = [average(movie, who) for who in people]
    return table


def check_against(table, expected):
    states, actions = table.labels.states, table.labels.actions
    cells = [(states[x], actions[a]) for x, a in np.argwhere(table.available[0])]
    assert sorted(cells) == sorted(expected)
    values = np.concatenate([table.user[:, None], table.providers], axis=1)[0]
    for state, action in cells:
        exact = [round(value * table.resolution) for value in expected[state, action]]
        assert values[:, states.index(state), actions.index(action)].tolist() == exact, (state, action)


def test_table_3_of_the_paper(real):
    table, paper = eq.io.movielens_table(real), eq.load_paper_table("movielens", resolution=100)
    assert table.labels.states == paper.labels.states
    titles = list(zip(table.labels.actions, paper.labels.actions, strict=True))
    assert all(ours.startswith(theirs) for ours, theirs in titles), titles  # "Matrix, The (1999)", "Matrix"
    np.testing.assert_array_equal(table.available, paper.available)
    assert int(table.available.sum()) == 18
    cells = 0
    for ours, theirs in ((table.user[:, None], paper.user[:, None]), (table.providers, paper.providers)):
        here = np.broadcast_to(table.available[:, None], ours.shape)
        hundredths = ours[here] / (table.resolution / 100)
        np.testing.assert_array_equal(np.rint(hundredths), theirs[here])
        assert np.abs(np.abs(hundredths - np.rint(hundredths)) - 0.5).min() > 1e-3, "no cell is where rounding matters"
        cells += here.sum()
    assert cells == 126


def test_full_precision_is_the_exact_average_rounded_once(real, small):
    check_against(eq.io.movielens_table(real), by_hand(REAL, 3, 20, 4))
    one = eq.io.movielens_table(small, min_ratings=4, min_average=3.5)
    check_against(one, by_hand(small, 3, 4, Fraction(7, 2)))


def test_rules_on_small_data(small):
    """Without the real data: ties, several genres, nobody a fan, a movie that no fan rated."""
    for per_genre, fewest, average in ((3, 6, 3.5), (2, 1, 4.75), (4, 1, 0.0), (1, 41, 0.0)):
        options = {"movies_per_genre": per_genre, "min_ratings": fewest, "min_average": average}
        check_against(eq.io.movielens_table(small, **options), by_hand(small, per_genre, fewest, Fraction(average)))


def test_a_fan_is_one_by_exact_comparison(tmp_path):
    """20 ratings that average 4.0, not a half star less, and not 19 ratings."""
    lines = [f"{m},Film {m},Drama" for m in range(1, 22)]
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n" + "\n".join(lines))
    rows = [(1, m, 5 if m % 2 else 3) for m in range(1, 21)] + [(2, m, 5 if m % 2 else 3) for m in range(1, 21)]
    rows[-1] = (2, 20, 2.5)
    rows += [(3, m, 5) for m in range(1, 20)]
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating\n" + "\n".join(f"{u},{m},{r}" for u, m, r in rows))
    assert eq.io.read_movielens(tmp_path).fans("Drama").tolist() == [True, False, False]


@pytest.mark.slow
def test_both_ways_of_reading_agree(small, real):
    for folder in (small, REAL):
        data = (folder / "ratings.csv").read_bytes()
        movies = eq.io.read_movielens(folder).movie_ids
        fast, careful = _fast(data, np.sort(movies)), _careful(data, folder / "ratings.csv", set(movies.tolist()))
        assert fast is not None, "no fault, yet the fast way did not take it"
        for one, other in zip(fast, careful, strict=True):
            np.testing.assert_array_equal(one, other)


def test_zip_is_as_good_as_a_folder(small, tmp_path):
    path = tmp_path / "ml.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("movies.csv", "ratings.csv"):
            archive.write(small / name, f"ml-small/{name}")
    one, other = eq.io.read_movielens(path), eq.io.read_movielens(small)
    for name in ("user", "movie", "half_stars", "user_ids", "movie_ids"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.titles, one.genres) == (other.titles, other.genres)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(eq.TableFileError, match=r"ml\.zip: expected a zip file that can be read"):
        eq.io.read_movielens(path)


MOVIES = "movieId,title,genres\n1,Heat (1995),Action|Crime\n2,Speed (1994),Action\n"


@pytest.mark.parametrize(
    ("movies", "ratings", "message"),
    [
        (
            MOVIES,
            "userId,movieId,rating\n1,1,4\n1,2,7\n",
            "ratings.csv, line 3: column 'rating': expected 0.5 to 5 stars",
        ),
        (MOVIES, "userId,movieId,rating\n1,1,4\n\n1,2,4.2\n", "line 4: column 'rating': .* got '4.2'"),
        (MOVIES, "userId,movieId,rating\n1,1,\n", "line 2: column 'rating': .* got ''"),
        (MOVIES, "userId,movieId,rating\n1,1,NaN\n", "line 2: column 'rating': .* got 'NaN'"),
        (MOVIES, "userId,movieId,rating\n1,3,4\n", "line 2: column 'movieId': expected a movie of movies.csv, got 3"),
        (MOVIES, "userId,movieId,rating\nx,1,4\n", "line 2: column 'userId': expected a whole number, got 'x'"),
        (MOVIES, "userId,movieId,rating\n1,1,4\n2,1,4\n1,1,3\n", "line 4: .* movie 1 by user 1 again after line 2"),
        (MOVIES, "userId,movieId,rating\n1,1\n", "line 2: expected 3 fields as in the header, got 2"),
        (MOVIES, "userId,movieId,stars\n1,1,4\n", "line 1: expected a column 'rating'"),
        (MOVIES, "userId,movieId,rating\n", "line 1: expected rows after the header, got none"),
        (MOVIES, "", "line 1: expected a header with userId, movieId, rating, got an empty file"),
        (MOVIES + "2,Again,War\n", "", "movies.csv, line 4: column 'movieId': expected every movie once, got 2 again"),
        (MOVIES + "3,,War\n", "userId,movieId,rating\n1,1,4\n", "movies.csv, line 4: column 'title': expected a name"),
        ("movieId,title\n1,Heat\n", "", "movies.csv, line 1: expected a column 'genres'"),
    ],
)
def test_faults_name_file_line_and_column(tmp_path, movies, ratings, message):
    (tmp_path / "movies.csv").write_text(movies)
    (tmp_path / "ratings.csv").write_text(ratings)
    with pytest.raises(eq.TableFileError, match=message) as caught:
        eq.io.read_movielens(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_requests_that_make_no_sense(small, tmp_path):
    for options, message in (
        ({"genres": ["Western"]}, "genres: expected genres among Action, .* got 'Western'"),
        ({"genres": "Action"}, "genres: expected one or several different genres"),
        ({"movies_per_genre": 41}, "movies_per_genre: expected at most"),
        ({"min_ratings": 0}, "min_ratings: expected a positive whole number"),
        ({"min_average": 7}, "min_average: expected stars from 0 to 5"),
        ({"resolution": 2**33}, "expected integers of at most 32 bits"),
    ):
        with pytest.raises(ValueError, match=message):
            eq.io.movielens_table(small, **options)
    with pytest.raises(ValueError, match="min_ratings: expected at most"):
        eq.io.movielens_targets(small, min_ratings=1000)
    with pytest.raises(eq.TableFileError, match=r"expected a folder with movies.csv and ratings.csv .*, got nothing"):
        eq.io.read_movielens(tmp_path)


def test_raters(small):
    data = eq.io.read_movielens(small)
    targets = eq.io.movielens_targets(data, min_ratings=30)
    assert targets.ratings.min() >= 30
    fans = eq.raters.movielens_raters(data, min_ratings=30)
    np.testing.assert_array_equal(fans.targets[:, 0], targets.stars)
    users = eq.raters.movielens_raters(data, "users", count=10, min_ratings=20)
    names = [int(name.removeprefix("user ")) for name in users.rater_names]
    activity = np.bincount(data.user_ids[data.user], minlength=61)
    assert min(activity[names]) >= max(np.delete(activity, names))
    # The target is of others alone, and ratings are the people's own.
    others = ~np.isin(data.user_ids[data.user], names)
    for i, title in enumerate(users.item_names):
        movie = data.titles.index(title)
        assert users.targets[i, 0] == pytest.approx(data.half_stars[others & (data.movie == movie)].mean() / 2)
        for k, user in enumerate(names):
            own = data.half_stars[(data.movie == movie) & (data.user_ids[data.user] == user)] / 2
            np.testing.assert_array_equal(users.ratings[i, k], own[0] if len(own) else np.nan)
    with pytest.raises(ValueError, match="count: expected fewer raters than the 60 users"):
        eq.raters.movielens_raters(data, "users", count=60)


def test_fans_rate_as_in_the_table(real):
    raters, table = eq.raters.movielens_raters(real), eq.io.movielens_table(real)
    assert raters.num_items == 1297
    for a, title in enumerate(table.labels.actions):
        x, i = int(np.flatnonzero(table.available[0, :, a])[0]), raters.item_names.index(title)
        np.testing.assert_allclose(raters.ratings[i] / 5, table.providers[0, :, x, a] / table.resolution, atol=5e-10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("movieId,m\n3,50\n3,40\n", "line 3: column 'movieId': expected every movie once, got '3' again after line 2"),
        ("movieId,m\n4,50\n", "line 2: column 'movieId': expected a movie of the data set, got '4'"),
        ("movieId,m\n3,150\n", "line 2: column 'm': expected 0 to 100, got 150"),
        ("movieId,m\n3,good\n", "line 2: column 'm': expected a finite number"),
        (
            "movieId,title,m\n3,Nowhere (1999),50\n",
            "line 2: column 'title': expected .* got 'Nowhere .1999.', which is",
        ),
        (",movieId\n0,3\n", "expected a column movieId or title and columns of raters"),
        ("film,m\n3,50\n", "expected a column movieId or title and columns of raters"),
    ],
)
def test_faults_in_files_of_scores(small, tmp_path, text, message):
    path = tmp_path / "scores.csv"
    path.write_text(text)
    with pytest.raises(eq.TableFileError, match=message):
        eq.raters.movielens_raters(small, path, min_ratings=1)


# --- the command ------------------------------------------------------------------------------------------------------


def test_one_command_from_raw_ratings_to_the_game(small, tmp_path, monkeypatch, capsys):
    """Solving the folder is solving the table that the other command writes, at its resolution."""
    monkeypatch.chdir(tmp_path)
    source = str(REAL if REAL.exists() else small)
    assert main(["data", "movielens-table", source, "--out", "table.csv"]) == 0
    said = capsys.readouterr().err
    assert "126 utilities" in said
    assert "equilibrax solve table.csv --resolution 1000000000" in said
    assert main(["data", "movielens-table", source, "--out", "table.npz"]) == 0
    assert main(["solve", source, "--out", "folder.parquet"]) == 0
    assert main(["solve", "table.csv", "--resolution", "1000000000", "--out", "csv.parquet"]) == 0
    assert main(["solve", "table.npz", "--out", "npz.parquet"]) == 0
    folder = pq.read_table("folder.parquet").drop(["family", "table_name"])
    assert folder.num_rows == 63
    for other in ("csv", "npz"):
        assert pq.read_table(f"{other}.parquet").drop(["family", "table_name"]).equals(folder), other


def test_fetching_asks_first_and_leaves_nothing_half_done(small, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["data", "movielens", "--out", str(out)]) == 2
    assert "--accept-licence: expected this flag, after reading https://files.grouplens.org" in capsys.readouterr().err
    archive = Path(shutil.make_archive(str(tmp_path / "ml-small"), "zip", small))
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"<html>not found</html>")
    fetch = ["data", "movielens", "--accept-licence", "--out", str(out), "--url"]
    for url, message in (
        ((tmp_path / "nowhere.zip").as_uri(), "expected a zip file to fetch, got: "),
        ("http://127.0.0.1:9/ml.zip", "expected a zip file to fetch, got: "),
        (broken.as_uri(), "expected a folder or a zip file with movies.csv and ratings.csv"),
    ):
        assert main([*fetch, url]) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith(f"equilibrax: error: {url}: {message}"), error
        assert list(out.iterdir()) == []
    for said in ("fetching file://", "nothing is fetched"):
        assert main([*fetch, archive.as_uri()]) == 0
        assert said in capsys.readouterr().err
    assert (out / "ml-small.zip").read_bytes() == archive.read_bytes()
    assert [path.name for path in out.iterdir()] == ["ml-small.zip"]


def test_solve_says_what_a_folder_should_be(tmp_path, capsys):
    assert main(["solve", str(tmp_path)]) == 2
    assert "or a folder with MovieLens's ratings.csv and movies.csv, got a folder without" in capsys.readouterr().err
