"""Raters of movies: who may stand for providers when the people of MovieLens are the user (2509.15090, Section 6.1).

The user is everybody: a movie's mean rating, over movies with at least 20 ratings. The paper's raters are language
models whose scores it does not publish. Three others take their place: fans of genres (Appendix D), people who are in
the data set, or the scores in a file of yours.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equilibrax._core.checks import positive_int
from equilibrax.io.files import TableFileError, naming
from equilibrax.io.movielens import GENRES, MovieLens, movielens_targets, read_movielens
from equilibrax.io.names import Reading, reading
from equilibrax.io.sheets import check_scale, read_sheet
from equilibrax.raters.csv import choose_raters, say_read
from equilibrax.raters.matrix import RaterMatrix, rater_matrix


def movielens_raters(
    source: MovieLens | str | os.PathLike[str],
    raters: str | os.PathLike[str] = "fans",
    *,
    count: int = 100,
    genres: Sequence[str] = GENRES,
    min_ratings: int = 20,
    scale: float | tuple[float, float] = 100,
    providers: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    sep: str = ",",
    decimal: str = ".",
) -> RaterMatrix:
    """Raters of movies, with the mean rating of everybody (else) as the target; all in stars, 0 to 5.

    Args:
        source: a data set, or where one is.
        raters: one of

            - "fans": one rater per genre, the mean rating of its fans, and the mean of everybody where no fan rated
              (2509.15090, Appendix D). Fans are part of everybody, so these raters know a part of the target.
            - "users": the `count` people with the most ratings (of equally many, the smallest user id), NaN where one
              did not rate; the target is the mean of all others, who are at least `min_ratings` for every movie.
            - a CSV file, one row per movie and one column per rater, with a column `movieId` or `title`. Columns
              `movieId` and `title` apart, all are raters.

        count: number of raters, with "users".
        genres: whose fans, with "fans".
        min_ratings: movies with fewer ratings (with "users": of others) are left out; the paper has 20.
        scale: range of the numbers in the file, as for `read_raters`: it becomes 0 to 5 stars.
        providers, ignore, sep, decimal: how the file is read, as in `read_raters`.

    Returns:
        A `RaterMatrix`, one item per movie in the order of `movies.csv`; with a file, movies that are in it.

    Raises:
        TableFileError: on a data set or file that cannot be read, naming the line and column.
        ValueError: on numbers out of range, or if no movie has enough ratings.

    Example:
        >>> import pathlib, tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     files = [pathlib.Path(folder, f"{name}.csv") for name in ("movies", "ratings", "mine")]
        ...     movies, ratings, scores = files
        ...     _ = movies.write_text("movieId,title,genres\\n7,Heat (1995),Action\\n8,Speed (1994),Action\\n")
        ...     _ = ratings.write_text("userId,movieId,rating\\n1,7,4.5\\n2,7,3\\n2,8,2\\n")
        ...     _ = scores.write_text("movieId,model A,model B\\n8,50,10\\n7,80,90\\n")
        ...     matrix = eq.raters.movielens_raters(folder, scores, min_ratings=1)
        >>> matrix.item_names, matrix.ratings.tolist(), matrix.targets[:, 0].tolist()
        (('Heat (1995)', 'Speed (1994)'), [[4.0, 4.5], [2.5, 0.5]], [3.75, 2.0])
    """
    how = reading(providers, ignore, sep, decimal)
    data = source if isinstance(source, MovieLens) else read_movielens(source)
    if raters in ("fans", "users") and how != Reading():
        raise ValueError(f"raters: expected a file with providers, ignore, sep or decimal, got {raters!r}")
    if raters == "fans":
        return _fans(data, genres, min_ratings)
    if raters == "users":
        return _users(data, positive_int("count", count), positive_int("min_ratings", min_ratings))
    return _file(data, Path(raters), min_ratings, scale, how)


def _fans(data: MovieLens, genres: Sequence[str], min_ratings: int) -> RaterMatrix:
    targets = movielens_targets(data, min_ratings=min_ratings)
    columns = []
    for genre in genres:
        some, total = data.sums(data.fans(genre)[data.user])
        some, total = some[targets.movies], total[targets.movies]
        columns.append(np.where(some > 0, total / (2 * np.maximum(some, 1)), targets.stars))
    return rater_matrix(
        np.stack(columns, axis=1),
        targets.stars,
        items=targets.titles,
        raters=[f"{genre} fans" for genre in genres],
        targets_names=["everybody"],
    )


def _users(data: MovieLens, count: int, min_ratings: int) -> RaterMatrix:
    activity = np.bincount(data.user, minlength=len(data.user_ids))
    if count >= len(activity):
        raise ValueError(f"count: expected fewer raters than the {len(activity)} users of the data set, got {count}")
    chosen = np.argsort(-activity, kind="stable")[:count]
    place = np.full(len(activity), -1)
    place[chosen] = np.arange(count)
    others, total = data.sums(place[data.user] < 0)
    keep = np.flatnonzero(others >= min_ratings)
    if not len(keep):
        raise ValueError(
            f"min_ratings: expected at most {others.max()}, of users who are not raters, got {min_ratings}"
        )
    ratings = np.full((len(data.movie_ids), count), np.nan)
    mine = place[data.user] >= 0
    ratings[data.movie[mine], place[data.user[mine]]] = data.half_stars[mine] / 2
    return rater_matrix(
        ratings[keep],
        total[keep] / (2 * others[keep]),
        items=data.names(keep),
        raters=[f"user {data.user_ids[u]}" for u in chosen],
        targets_names=["everybody else"],
    )


def _file(data: MovieLens, path: Path, min_ratings: int, scale: Any, how: Reading) -> RaterMatrix:
    ends = check_scale("scale", scale)
    if ends is None:
        raise ValueError("scale: expected a number or a pair (low, high), got None")
    sheet = read_sheet(path, unnamed=True, sep=how.sep, decimal=how.decimal)
    keys = [name for name in ("movieId", "title") if name in sheet.columns]
    raters, left = choose_raters(sheet, ("movieId", "title"), how)
    if not keys or not raters:
        raise TableFileError(f"{path}: expected a column movieId or title and columns of raters, got {sheet.columns}")
    own = map(str, data.movie_ids.tolist()) if keys[0] == "movieId" else data.titles
    place: dict[str, int] = {}
    for m, name in enumerate(own):
        place[name] = m if name not in place else -1  # two movies of one title
    scores = np.full((len(data.movie_ids), len(raters)), np.nan)
    values, line, titles = sheet.numbers(raters, ends), {}, sheet.texts(keys[-1])
    for i, name in enumerate(sheet.texts(keys[0])):
        movie = place.get(name)
        if movie is None or movie < 0:
            got = f"{name!r}" if movie is None else f"{name!r}, which several movies have: use movieId"
            raise TableFileError(f"{sheet.at(i, keys[0])}: expected a movie of the data set, got {got}")
        if len(keys) > 1 and titles[i] != data.titles[movie]:
            came = f"{titles[i]!r}, which is another"
            raise TableFileError(f"{sheet.at(i, 'title')}: expected {data.titles[movie]!r}, got {came}")
        if movie in line:
            came = f"{name!r} again after line {line[movie]}"
            raise TableFileError(f"{sheet.at(i, keys[0])}: expected every movie once, got {came}")
        scores[movie], line[movie] = 5 * values[i], sheet.lines[i]
    targets = movielens_targets(data, min_ratings=min_ratings)
    there = np.array([m in line for m in targets.movies.tolist()])
    if not there.any():
        raise TableFileError(f"{path}: expected some movie with at least {min_ratings} ratings, got none")
    with naming(path):
        matrix = rater_matrix(
            scores[targets.movies[there]],
            targets.stars[there],
            items=[title for title, yes in zip(targets.titles, there) if yes],
            raters=raters,
            targets_names=["everybody"],
        )
    say_read(sheet, matrix, left)
    return matrix
