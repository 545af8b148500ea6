"""The same from a polars DataFrame: equilibria by name, a picture and a LaTeX table."""

import equilibrax as eq
import matplotlib.pyplot as plt
import polars as pl

frame = pl.DataFrame(
    {
        "city": ["Oslo", "Oslo", "Rome", "Oslo", "Rome", "Oslo", "Rome", "Rome"],
        "weather": ["sun", "rain", "rain", "rain", "sun", "sun", "rain", "sun"],
        "advice": ["walk", "bus", "walk", "walk", "bus", "bus", "bus", "walk"],
        "days": [3, 1, 1, 1, 9, 3, 1, 9],
        "Alice": [1.0, 1.0, 0.2, 0.0, 0.1, 0.3, 0.9, 1.0],
        "Ann": [0.9, 0.2, 0.7, 0.8, 0.4, 0.2, 0.3, 0.8],
        "Bob": [0.0, 0.9, 0.3, 0.1, 0.8, 1.0, 0.6, 0.2],
    }
)
tables = eq.from_dataframe(frame, table="city", state="weather", action="advice", prior="days", user="Alice")
print(tables.describe())
result = eq.solve(tables)
print(result.sel(table="Rome", committee=("Ann", "Bob")).to_polars())
result.to_xarray().worst_utility.plot.line(x="committee", hue="table", marker="o")
plt.savefig("worst.png")  # pyright: ignore[reportUnknownMemberType]
print(result.to_latex())
