"""MovieLens: ratings of movies by people, as a selection game and as raters.

A source is the folder or the zip file of a MovieLens data set (https://grouplens.org/datasets/movielens/) with
`ratings.csv` (`userId,movieId,rating,timestamp`) and `movies.csv` (`movieId,title,genres`). Ratings are stars, 0.5 to 5
in half stars, so sums of them are exact, and averages are ratios of whole numbers.

Nothing here downloads anything; `equilibrax data movielens` does, for users who accept the data's licence.

Letters: R ratings, M movies, U users.
"""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int
from pyarrow import csv as arrow_csv

from equilibrax._core.checks import positive_int
from equilibrax.io.files import read_bytes, unzipped
from equilibrax.io.sheets import read_sheet
from equilibrax.io.tables import TableFileError
from equilibrax.problems.tables import Labels, UtilityTables, from_integers

GENRES: tuple[str, ...] = ("Action", "Comedy", "Drama", "Sci-Fi", "Thriller", "Romance")
"""The six genres of 2509.15090: states of the game of Appendix D, and whose fans are its providers."""

MOVIELENS_RESOLUTION = 10**9
"""Steps per unit of utility of `movielens_table`."""

_RATINGS = ("userId", "movieId", "rating")


@dataclass(frozen=True)
class MovieLens:
    """A MovieLens data set in memory. Made by `read_movielens`.

    Attributes:
        user: `[R]` int64, who rated, a position in `user_ids`.
        movie: `[R]` int64, what was rated, a position in `movie_ids`.
        half_stars: `[R]` int64, the rating in half stars, 1 to 10.
        user_ids: `[U]` int64, ascending.
        movie_ids: `[M]` int64, in the order of `movies.csv`.
        titles: M titles, with year, such as `Matrix, The (1999)`.
        genres: M tuples of genres.
        path: where it was read.
    """

    user: Int[np.ndarray, " R"]
    movie: Int[np.ndarray, " R"]
    half_stars: Int[np.ndarray, " R"]
    user_ids: Int[np.ndarray, " U"]
    movie_ids: Int[np.ndarray, " M"]
    titles: tuple[str, ...]
    genres: tuple[tuple[str, ...], ...]
    path: str = ""

    @property
    def num_ratings(self) -> int:
        """Number of ratings, R."""
        return len(self.user)

    def names(self, movies: Sequence[int] | np.ndarray) -> tuple[str, ...]:
        """Titles of movies by position; with the movie's id where two of them have the same title."""
        titles = [self.titles[m] for m in movies]
        often = Counter(titles)
        return tuple(
            f"{title} [{self.movie_ids[m]}]" if often[title] > 1 else title for title, m in zip(titles, movies)
        )

    def sums(self, ratings: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """`[M]` int64 number of ratings of each movie, and `[M]` int64 their sum in half stars.

        Args:
            ratings: `[R]` bool, which ratings count; None for all.
        """
        movie, stars = (
            (self.movie, self.half_stars) if ratings is None else (self.movie[ratings], self.half_stars[ratings])
        )
        count = np.bincount(movie, minlength=len(self.movie_ids))
        total = np.bincount(movie, weights=stars, minlength=len(self.movie_ids))
        return count, np.rint(total).astype(np.int64)

    def of_genre(self, genre: str) -> np.ndarray:
        """`[M]` bool, the movies of a genre; a movie with several genres is in each of them.

        Raises:
            ValueError: if no movie has it, listing the genres that there are.
        """
        found = np.array([genre in own for own in self.genres], bool)
        if not found.any():
            known = sorted({name for own in self.genres for name in own})
            raise ValueError(f"genres: expected genres among {', '.join(known)}, got {genre!r}")
        return found

    def fans(self, genre: str, *, min_ratings: int = 20, min_average: float = 4.0) -> np.ndarray:
        """`[U]` bool, users with enough ratings in a genre that are good on average (2509.15090, Appendix D).

        Args:
            genre: the genre.
            min_ratings: at least so many ratings of movies of this genre.
            min_average: that are on average at least so many stars; compared exactly.

        Raises:
            ValueError: if no movie has this genre, or the numbers are none.
        """
        min_ratings = positive_int("min_ratings", min_ratings)
        if not 0 <= min_average <= 5:
            raise ValueError(f"min_average: expected stars from 0 to 5, got {min_average!r}")
        here = self.of_genre(genre)[self.movie]
        count = np.bincount(self.user[here], minlength=len(self.user_ids))
        total = np.bincount(self.user[here], weights=self.half_stars[here], minlength=len(self.user_ids))
        threshold = 2 * Fraction(min_average)
        enough = total * threshold.denominator >= count * threshold.numerator
        return enough & (count >= min_ratings)


class MovieLensTargets(NamedTuple):
    """What people think of movies: see `movielens_targets`."""

    titles: tuple[str, ...]
    """I titles."""
    stars: Float[np.ndarray, " I"]
    """Mean rating of each, 0.5 to 5 stars."""
    ratings: Int[np.ndarray, " I"]
    """Number of ratings of each."""
    movies: Int[np.ndarray, " I"]
    """Position of each in the data set."""


def read_movielens(source: str | os.PathLike[str]) -> MovieLens:
    """Read the ratings and movies of a MovieLens data set.

    Args:
        source: a folder or zip file with `ratings.csv` and `movies.csv` (in a zip, in any folder of it).

    Returns:
        The data set; ratings in the file's order.

    Raises:
        TableFileError: a `ValueError` naming the file, the line and column, what was expected and what came: no such
            file or column, a rating that is none, a movie that is not in `movies.csv`, a movie rated twice by a user.

    Example:
        >>> import pathlib, tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = pathlib.Path(folder, "movies.csv").write_text("movieId,title,genres\\n7,Heat (1995),Crime|War\\n")
        ...     _ = pathlib.Path(folder, "ratings.csv").write_text("userId,movieId,rating,timestamp\\n1,7,4.5,0\\n")
        ...     data = eq.io.read_movielens(folder)
        >>> data.titles, data.genres, data.half_stars.tolist()
        (('Heat (1995)',), (('Crime', 'War'),), [9])
    """
    source = Path(source)
    (movies_path, movies), (ratings_path, ratings) = _files(source)
    sheet = read_sheet(movies_path, required=("movieId", "title", "genres"), data=movies)
    ids = np.array([_whole(text, sheet.at(i, "movieId")) for i, text in enumerate(sheet.texts("movieId"))], np.int64)
    unique, first = np.unique(ids, return_index=True)
    if len(unique) < len(ids):
        again = int(np.setdiff1d(np.arange(len(ids)), first)[0])
        raise TableFileError(f"{sheet.at(again, 'movieId')}: expected every movie once, got {ids[again]} again")
    genres = tuple(() if text.startswith("(no genres") else tuple(text.split("|")) for text in sheet.texts("genres"))
    users, movie, stars = _fast(ratings, unique) or _careful(ratings, ratings_path, set(ids.tolist()))
    user_ids, user = np.unique(users, return_inverse=True)
    place = first[np.searchsorted(unique, movie)]
    return MovieLens(user, place, stars, user_ids, ids, tuple(sheet.names("title")), genres, str(source))


def movielens_table(
    source: MovieLens | str | os.PathLike[str],
    *,
    genres: Sequence[str] = GENRES,
    movies_per_genre: int = 3,
    min_ratings: int = 20,
    min_average: float = 4.0,
    resolution: int = MOVIELENS_RESOLUTION,
) -> UtilityTables:
    """The utility table of 2509.15090, Appendix D, from raw ratings: Table 3, with all digits.

    States are genres; actions are the most rated movies of each (a movie counts for each of its genres; of equally
    often rated ones, the first in `movies.csv`), in order of that number. The user's utility of a movie is its average
    over all ratings, a provider's is its average over the fans of a genre, or over all ratings where no fan rated it;
    both in units of 5 stars.

    An average is a ratio of whole numbers, not a decimal. It is rounded once, half to even, to a multiple of
    `1 / resolution`: by at most 5e-10 at the default. In ml-latest-small utilities that differ, differ by more than
    9e-7 (movies have at most 329 ratings), so the order of any two utilities is that of the exact averages, and equal
    ones stay equal.

    Args:
        source: a data set, or where one is.
        genres: the states, and whose fans are the providers; 1 to 16.
        movies_per_genre: actions available in each state.
        min_ratings: a fan of a genre has rated at least so many movies of it,
        min_average: with at least so many stars on average.
        resolution: steps per unit of utility; at most 2,147,483,647.

    Returns:
        A batch of one table, with labels: genres, titles, `Action fans` and so on.

    Raises:
        TableFileError: as `read_movielens`.
        ValueError: on an unknown genre, a genre with fewer rated movies, or numbers out of range.

    Example:
        >>> import pathlib, tempfile
        >>> import equilibrax as eq
        >>> movies = "movieId,title,genres\\n1,Heat (1995),Action\\n2,Speed (1994),Action\\n"
        >>> ratings = "userId,movieId,rating,timestamp\\n1,1,5,0\\n1,2,4,0\\n2,1,2,0\\n2,2,4,0\\n3,1,3,0\\n"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = pathlib.Path(folder, "movies.csv").write_text(movies)
        ...     _ = pathlib.Path(folder, "ratings.csv").write_text(ratings)
        ...     table = eq.io.movielens_table(folder, genres=["Action"], movies_per_genre=2, min_ratings=2)
        >>> table.labels.actions, table.user.tolist(), table.providers.tolist()
        (('Heat (1995)', 'Speed (1994)'), [[[666666667, 800000000]]], [[[[1000000000, 800000000]]]])
    """
    data = source if isinstance(source, MovieLens) else read_movielens(source)
    per_genre, resolution = positive_int("movies_per_genre", movies_per_genre), positive_int("resolution", resolution)
    if isinstance(genres, str) or not genres or len(set(genres)) < len(genres):
        raise ValueError(f"genres: expected one or several different genres, got {genres!r}")
    count, total = data.sums()
    chosen = []
    for genre in genres:
        found = np.flatnonzero(data.of_genre(genre) & (count > 0))
        if len(found) < per_genre:
            raise ValueError(f"movies_per_genre: expected at most {len(found)} for {genre!r}, got {per_genre}")
        chosen.append(found[np.argsort(-count[found], kind="stable")[:per_genre]])
    movies = list(dict.fromkeys(np.concatenate(chosen).tolist()))
    of_fans = []
    for genre in genres:
        fans = data.fans(genre, min_ratings=min_ratings, min_average=min_average)
        some, sum_of_some = data.sums(fans[data.user])
        of_fans.append((np.where(some > 0, some, count), np.where(some > 0, sum_of_some, total)))
    utilities = np.array(
        [
            [round(Fraction(int(s[m]), 10 * int(c[m])) * resolution) for m in movies]
            for c, s in [(count, total), *of_fans]
        ]
    )
    available = np.array([[m in own for m in movies] for own in chosen])
    values = np.where(available, utilities[:, None], 0)
    labels = Labels(tuple(genres), data.names(movies), tuple(f"{genre} fans" for genre in genres), ("movielens",))
    return from_integers(values[0], values[1:], None, available, resolution=resolution, labels=labels)


def movielens_targets(source: MovieLens | str | os.PathLike[str], *, min_ratings: int = 20) -> MovieLensTargets:
    """Movies with enough ratings and their mean: what 2509.15090, Section 6.1, has providers match.

    Args:
        source: a data set, or where one is.
        min_ratings: movies with fewer ratings are left out.

    Returns:
        Titles, mean stars and numbers of ratings, in the order of `movies.csv`.

    Raises:
        TableFileError: as `read_movielens`.
        ValueError: if no movie has so many ratings.

    Example:
        >>> import pathlib, tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = pathlib.Path(folder, "movies.csv").write_text("movieId,title,genres\\n7,Heat (1995),Action\\n")
        ...     _ = pathlib.Path(folder, "ratings.csv").write_text("userId,movieId,rating\\n1,7,4.5\\n2,7,3\\n")
        ...     targets = eq.io.movielens_targets(folder, min_ratings=2)
        >>> targets.titles, targets.stars.tolist()
        (('Heat (1995)',), [3.75])
    """
    data = source if isinstance(source, MovieLens) else read_movielens(source)
    count, total = data.sums()
    keep = np.flatnonzero(count >= positive_int("min_ratings", min_ratings))
    if not len(keep):
        raise ValueError(f"min_ratings: expected at most {count.max()}, the ratings of some movie, got {min_ratings}")
    return MovieLensTargets(data.names(keep), total[keep] / (2 * count[keep]), count[keep], keep)


# --- files ------------------------------------------------------------------------------------------------------------


def _files(source: Path) -> list[tuple[Path, bytes]]:
    """Names and bytes of `movies.csv` and `ratings.csv`."""
    wanted = ("movies.csv", "ratings.csv")
    if source.is_dir():
        there = {path.name: path for path in sorted(source.iterdir()) if path.is_file()}
        _check_there(source, wanted, there, "folder")
        return [(there[name], read_bytes(there[name])) for name in wanted]
    data = read_bytes(source)
    if not data.startswith(b"PK"):
        raise TableFileError(
            f"{source}: expected a folder or a zip file with movies.csv and ratings.csv, got another file"
        )
    inside: dict[str, str] = {}

    def choose(names: list[str]) -> list[str]:
        inside.update({Path(name).name: name for name in sorted(names, key=lambda n: -n.count("/"))})
        _check_there(source, wanted, inside, "zip file")
        return [inside[name] for name in wanted]

    found = unzipped(data, source, choose)
    return [(source / inside[name], found[inside[name]]) for name in wanted]


def _check_there(source: Path, wanted: Sequence[str], there: dict, kind: str) -> None:
    for name in wanted:
        if name not in there:
            got = ", ".join(sorted(there)[:8]) + (", ..." if len(there) > 8 else "") or "nothing"
            raise TableFileError(f"{source}: expected a {kind} with movies.csv and ratings.csv (MovieLens), got {got}")


def _fast(data: bytes, movies: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """User ids, movie ids and half stars of a file without any fault; None where there may be one."""
    types = {"userId": pa.int64(), "movieId": pa.int64(), "rating": pa.float64()}
    try:
        options = arrow_csv.ConvertOptions(column_types=types, include_columns=list(_RATINGS))
        table = arrow_csv.read_csv(io.BytesIO(data), convert_options=options)
    except (pa.ArrowException, KeyError):
        return None
    if table.num_rows == 0 or any(column.null_count for column in table.columns):
        return None
    user, movie, stars = (column.to_numpy() for column in table.columns)
    halves = stars * 2
    known = movies[np.minimum(np.searchsorted(movies, movie), len(movies) - 1)] == movie
    order = np.lexsort((movie, user))
    twice = (np.diff(user[order]) == 0) & (np.diff(movie[order]) == 0)
    fine = (halves == np.rint(halves)) & (halves >= 1) & (halves <= 10) & known
    return (user, movie, halves.astype(np.int64)) if fine.all() and not twice.any() else None


def _careful(data: bytes, path: Path, movies: set[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same line by line, with an error that names the first fault."""
    sheet = read_sheet(path, required=_RATINGS, data=data)
    columns = [sheet.columns.index(name) for name in _RATINGS]
    found = np.empty((3, len(sheet.rows)), np.int64)
    first: dict[tuple[int, int], int] = {}
    for i, row in enumerate(sheet.rows):
        user, movie = (_whole(row[columns[c]], sheet.at(i, _RATINGS[c])) for c in (0, 1))
        text = row[columns[2]]
        if text not in _STARS:
            raise TableFileError(f"{sheet.at(i, 'rating')}: expected 0.5 to 5 stars in half stars, got {text[:40]!r}")
        if movie not in movies:
            raise TableFileError(f"{sheet.at(i, 'movieId')}: expected a movie of movies.csv, got {movie}")
        if (before := first.setdefault((user, movie), i)) != i:
            came = f"movie {movie} by user {user} again after line {sheet.lines[before]}"
            raise TableFileError(f"{sheet.at(i, 'movieId')}: expected every movie once per user, got {came}")
        found[:, i] = user, movie, _STARS[text]
    return found[0], found[1], found[2]


def _spellings() -> Iterator[tuple[str, int]]:
    for half in range(1, 11):
        for text in (f"{half / 2:.1f}", f"{half / 2:.2f}", f"{half / 2:g}"):
            yield text, half


_STARS = dict(_spellings())


def _whole(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise TableFileError(f"{where}: expected a whole number, got {text[:40]!r}")
    return int(text)
