"""Count the emotions in a table that `labeler classify` wrote.

labeler classify examples/photos --out labels.csv
python examples/analyse_table.py labels.csv
"""

import sys

import labeler

# A pandas DataFrame: one row for every face, and one for every file without a face.
table = labeler.read(sys.argv[1])

print("What became of the files:")
print(table["status"].value_counts().to_string())

# Faces scored below the threshold of `classify` are labelled "uncertain"; they are counted under that name.
faces = table[table["status"] == "ok"]
print("\nFaces for each emotion, and how sure the model was on average:")
print(faces.groupby("label")["score"].agg(["count", "mean"]).round(2).to_string())
