"""The same from a CSV file of a spreadsheet that writes decimal commas."""

from pathlib import Path

import equilibrax as eq
import matplotlib.pyplot as plt

Path("weather.csv").write_text("""\
table;state;action;prior;user;Ann;Bob
Oslo;sun;walk;3;1;0,9;0
Oslo;rain;bus;1;1;0,2;0,9
Rome;rain;walk;1;0,2;0,7;0,3
Oslo;rain;walk;1;0;0,8;0,1
Rome;sun;bus;9;0,1;0,4;0,8
Oslo;sun;bus;3;0,3;0,2;1
Rome;rain;bus;1;0,9;0,3;0,6
Rome;sun;walk;9;1;0,8;0,2
""")
tables = eq.read_tables("weather.csv", sep=";", decimal=",")
print(tables.describe())
result = eq.solve(tables)
print(result.sel(table="Rome", committee=("Ann", "Bob")).to_pandas())
result.to_xarray().worst_utility.plot.line(x="committee", hue="table", marker="o")
plt.savefig("worst.png")  # pyright: ignore[reportUnknownMemberType]
print(result.to_latex())
